//! Probes: status, headers and body of each path.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::Result;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::Request;
use hyper_util::rt::TokioIo;
use muster_tests::node::behaviour::Behaviour;
use muster_tests::node::fleet::Fleet;
use tokio::net::TcpStream;

use super::{PATIENCE, json};

/// Status line, headers without the moment, and body.
type Answer = (String, BTreeMap<String, String>, String);

/// One header in lower case; of `date` only that it is there.
fn header(name: &str, value: &str) -> (String, String) {
    let name = name.to_ascii_lowercase();
    let value = if name == "date" { "" } else { value };
    (name, value.to_owned())
}

/// What curl showed.
fn recorded(answer: &str) -> Answer {
    let (head, body) = answer.split_once("\n\n").unwrap();
    let (status, headers) = head.split_once('\n').unwrap();
    let headers = headers.lines().map(|line| line.split_once(": ").unwrap());
    let headers = headers.map(|(name, value)| header(name, value)).collect();
    (status.to_owned(), headers, body.to_owned())
}

async fn get(place: SocketAddr, path: &str) -> Result<Answer> {
    let stream = TokioIo::new(TcpStream::connect(place).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    let driver = tokio::spawn(connection);
    let request = Request::get(path).header("host", place.to_string());
    let answer = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
    let status = format!("{:?} {}", answer.version(), answer.status());
    let headers = answer.headers().iter();
    let headers = headers.map(|(name, value)| header(name.as_str(), value.to_str().unwrap()));
    let headers = headers.collect();
    let body = answer.into_body().collect().await?.to_bytes();
    driver.abort();
    Ok((status, headers, String::from_utf8(body.into())?))
}

#[tokio::test]
async fn probes_answer_with_recorded_statuses_headers_and_bodies() -> Result<()> {
    let behaviour = Behaviour::version("v2.4.4").scaled(20.0).starting_in(50);
    let fleet = Fleet::start(1, 1, &behaviour, "30s", PATIENCE).await?;
    let place = (fleet.delegates[0].spec.external_host, 8_080).into();
    let answers = json("probe-healthy.json");
    assert_eq!(answers.as_object().unwrap().len(), 6);
    for (path, answer) in answers.as_object().unwrap() {
        let (status, headers, body) = recorded(answer.as_str().unwrap());
        let ours = get(place, path).await?;
        assert_eq!((&ours.0, &ours.1), (&status, &headers), "{path}");
        // Of the page of metrics only the beginning was kept.
        if path != "/metrics" {
            assert_eq!(ours.2, body, "{path}");
        }
    }
    Ok(())
}
