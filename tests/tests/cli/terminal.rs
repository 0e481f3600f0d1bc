//! Officers at a terminal who say no, or mistype: nothing is signed and nothing is made.

use anyhow::Result;
use muster_tests::fleet::process::{Said, binary};
use muster_tests::terminal::converse;

use super::alone::{Officer, done, listing};

/// The real `muster` on a terminal, in alice's folder.
async fn at_a_terminal(alice: &Officer, args: &[&str], dialogue: &[(&str, &str)]) -> Result<Said> {
    let args = [&["--dir", "."], args].concat();
    converse(&binary("muster")?, &args, &alice.path(""), dialogue).await
}

#[track_caller]
fn refused(said: &Said, exit: i32, code: &str) {
    assert_eq!(said.code, exit, "{said:?}");
    // A terminal shows both outputs.
    assert!(said.out.contains(&format!("error[{code}]")), "{code} in {said:?}");
}

#[tokio::test]
async fn what_is_not_confirmed_is_not_signed() -> Result<()> {
    let alice = Officer::founded().await;
    done(&alice.muster(&["root", "freeze", "root.yaml", "-o", "2.draft", "--offline"]).await);
    // What was verified once is a floor; that is kept also when nothing is signed.
    done(&alice.muster(&["inspect", "2.draft"]).await);
    let before = alice.files();
    let sign = ["sign", "2.draft", "--key", "a.pem"];
    for no in ["n", "", "of course not"] {
        let said = at_a_terminal(&alice, &sign, &[("[y/N]", no)]).await?;
        refused(&said, 3, "U021");
        assert!(said.out.contains("root 2"), "he saw what it is: {said:?}");
    }
    assert!(alice.files() == before, "{:?}", listing(&alice.path("")));

    let dialogue = [("[y/N]", "y"), ("Passphrase for a.pem", "correct horse of alice")];
    let said = at_a_terminal(&alice, &sign, &dialogue).await?;
    assert_eq!(said.code, 0, "{said:?}");
    assert!(!said.out.contains("correct horse"), "a passphrase is not shown: {said:?}");
    assert!(listing(&alice.path("")).contains(&"2.a.sig".to_owned()));
    Ok(())
}

#[tokio::test]
async fn a_passphrase_that_was_typed_in_two_ways_makes_no_key() -> Result<()> {
    let alice = Officer::new();
    let new = ["key", "new", "--name", "alice", "-o", "b.pem"];
    let first = ("Passphrase for b.pem", "correct horse of alice");
    let dialogue = [first, ("The same again", "correct horse of alicf")];
    refused(&at_a_terminal(&alice, &new, &dialogue).await?, 2, "U022");
    assert!(listing(&alice.path("")).is_empty());

    let dialogue = [first, ("The same again", "correct horse of alice")];
    assert_eq!(at_a_terminal(&alice, &new, &dialogue).await?.code, 0);
    assert_eq!(listing(&alice.path("")), ["b.pem"]);
    Ok(())
}
