//! One small attendance in every form.

use jiff::{SignedDuration, Timestamp};
use muster_proto::audit::{Aborted, Attendance, How, Line, Order, Total};
use muster_proto::documents::plan::Drill;
use muster_proto::documents::{Class, Digest, PlanId};

use super::{Report, csv, html};
use crate::view::words::WIDTH;

const HOSTILE: &str = "<script>alert(\"1\")</script> & '=cmd()'";

fn at(seconds: i64) -> Timestamp {
    let noon: Timestamp = "2026-07-23T12:00:00Z".parse().expect("a time");
    noon + SignedDuration::from_secs(seconds)
}

fn line(node: &str, place: u32, how: How) -> Line {
    Line {
        node: node.into(),
        seat: Some(node.into()),
        wave: Some("all".into()),
        place: Some(place),
        acknowledged: None,
        asked: None,
        prepared: None,
        began: None,
        stopped: None,
        finished: None,
        how,
        away_ms: None,
        counted: None,
        order: None,
        late: false,
        why: None,
    }
}

fn report() -> Report {
    let done = Line {
        acknowledged: Some(at(1)),
        prepared: Some(at(2)),
        began: Some(at(10)),
        stopped: Some(at(12)),
        finished: Some(at(50)),
        away_ms: Some(38_000),
        counted: Some(2),
        order: Some(Order::Held),
        ..line("robot-1", 1, How::Done)
    };
    let declined = Line {
        acknowledged: Some(at(1)),
        finished: Some(at(4)),
        why: Some(HOSTILE.into()),
        ..line("robot-2", 2, How::Declined)
    };
    let total = |how| Total { how, nodes: 1, seats: 1 };
    let attendance = Attendance {
        plan: PlanId { class: Class::Hotfix, serial: 42, digest: Digest::of(b"plan") },
        network: "testnet".into(),
        title: "restart <everybody>".into(),
        action: "restart",
        drill: Drill::Real,
        aborted: None,
        issued: at(-600),
        first_root: Digest::of(b"root"),
        began: Some(at(10)),
        finished: Some(at(50)),
        took_ms: Some(40_000),
        order: Some(Order::Held),
        nodes: vec![done, declined, line("robot-3", 3, How::Silent)],
        totals: vec![total(How::Done), total(How::Declined), total(How::Silent)],
        seats: 3,
    };
    Report { attendance, doubt: None }
}

#[test]
fn an_abort_stands_above_the_table_and_on_the_page() {
    let mut report = report();
    let aborted = Aborted { issued: at(20), reason: HOSTILE.into() };
    report.attendance.aborted = Some(aborted);
    let text = report.to_string();
    let line = text.lines().find(|line| line.trim_start().starts_with("aborted")).expect("a line");
    assert!(line.contains(&at(20).strftime("%F %H:%M:%S").to_string()), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    let page = html(&report);
    assert!(page.contains("<p class=\"doubt\">Aborted "), "{page}");
    assert!(!page.contains(HOSTILE), "it is escaped\n{page}");
}

#[test]
fn the_table_says_who_did_what_within_80_columns() {
    let text = report().to_string();
    let golden = "\
DRILL plan hotfix/42 · restart <everybody>
1 of 3 took part · order held · 40 s
done 1 (1 seat) · declined 1 (1 seat) · silent 1 (1 seat) of 3 seats

  node     promised  began     over      how       away  order
  robot-1  12:00:01  12:00:10  12:00:50  done      38 s  held
  robot-2  12:00:01  -         12:00:04  declined     -  -
  robot-3  -         -         -         silent       -  -

  declined  robot-2: <script>alert(\"1\")</script> & '=cmd()'
  away      median 38 s, longest 38 s (robot-1)
  times     UTC, each by its own host's clock
  proof     recomputed from what was signed, as of 2026-07-23T11:50:00Z
  root      4813494d137e1631bba301d5acab6e7bb7aa74ce1185d456565ef51d737677b2
";
    assert_eq!(text, golden, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
}

#[test]
fn what_does_not_hold_stands_beside_the_table_and_on_the_page() {
    let report = Report { doubt: Some("V035: receipt 3 <b>".into()), ..report() };
    assert!(report.to_string().contains("doubt     V035: receipt 3"), "{report}");
    assert!(html(&report).contains("<p class=\"doubt\">Doubt: V035: receipt 3 &lt;b&gt;</p>"));
    let json = serde_json::to_value(&report).expect("JSON");
    assert_eq!(json["doubt"], "V035: receipt 3 <b>");
    assert_eq!(json["nodes"][1]["how"], "declined");
    assert_eq!(json["order"], "held");
}

#[test]
fn a_spreadsheet_reads_it_and_takes_nothing_for_a_formula() {
    let mut told = report().attendance;
    told.nodes[2].why = Some("=HYPERLINK(\"http://x\")".into());
    let text = csv(&told);
    let lines: Vec<_> = text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert_eq!(
        lines[1],
        "hotfix/42,robot-1,robot-1,all,1,done,held,,2026-07-23T12:00:01Z,,2026-07-23T12:00:02Z,\
         2026-07-23T12:00:10Z,2026-07-23T12:00:12Z,2026-07-23T12:00:50Z,38000,2,"
    );
    assert!(lines[2].ends_with(",\"<script>alert(\"\"1\"\")</script> & '=cmd()'\""), "{text}");
    assert!(lines[3].ends_with(",\"'=HYPERLINK(\"\"http://x\"\")\""), "{text}");
}

#[test]
fn the_page_is_whole_needs_nothing_else_and_shows_hostile_words_as_words() {
    let page = html(&report());
    assert!(
        page.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;=cmd()&#39;")
    );
    for bad in ["<script", "http://x", "src=", "href=", "url(", "@import", "onload"] {
        assert!(!page.contains(bad), "{bad} in the page");
    }
    for part in ["<svg ", "default-src 'none'", "prefers-color-scheme:dark", "robot-3: silent"] {
        assert!(page.contains(part), "no {part} in the page");
    }
    assert_eq!(page.matches("<rect ").count(), 2, "a bar for who began, a mark for who declined");
    well_formed(&page);
}

#[test]
fn a_page_of_nobody_is_whole_too() {
    let mut report = report();
    report.attendance.nodes = vec![line("robot-1", 1, How::Silent)];
    let page = html(&report);
    assert!(page.contains("Nobody has said anything."));
    well_formed(&page);
}

/// Every element is closed, in order, and every `&` begins an entity.
#[track_caller]
fn well_formed(page: &str) {
    let body = page.strip_prefix("<!DOCTYPE html>\n").expect("a doctype");
    let mut open = Vec::new();
    for piece in body.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("a tag ends");
        let name = tag.split(|c: char| c.is_whitespace() || c == '/').find(|it| !it.is_empty());
        let name = name.expect("a tag has a name");
        match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) => assert_eq!(open.pop(), Some(name), "{tag}"),
            (false, false) => open.push(name),
            (false, true) => {}
        }
    }
    assert!(open.is_empty(), "{open:?}");
    for entity in body.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
        assert!(known.iter().any(|it| entity.starts_with(it)), "&{entity}");
    }
}
