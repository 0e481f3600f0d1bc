//! The image's `wget`, as busybox has it: an exec in the container is the only way to its admin port.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// What busybox waits at most, unless `-T` says otherwise, in seconds.
const PATIENCE_SECONDS: u64 = 900;

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    method: Method,
    authority: String,
    path: String,
    quiet: bool,
    headers: bool,
    seconds: u64,
}

/// What was answered.
struct Answered {
    status: StatusCode,
    headers: Vec<String>,
    body: Bytes,
}

/// Asks once and prints the body on stdout, all else on stderr. Returns the exit code: 1 for any failure.
pub async fn run(arguments: impl IntoIterator<Item = String>) -> i32 {
    let Some(asked) = parse(arguments) else {
        eprintln!("Usage: wget [-qS] [-T SEC] [--post-data STR] -O - URL");
        return 1;
    };
    if !asked.quiet {
        eprintln!("Connecting to {0} ({0})", asked.authority);
    }
    match tokio::time::timeout(Duration::from_secs(asked.seconds), get(&asked)).await {
        Ok(Ok(answered)) => show(&asked, &answered),
        Ok(Err(error)) => failed(&format!("can't connect to remote host: {error}")),
        Err(_) => failed("download timed out"),
    }
}

fn failed(why: &str) -> i32 {
    eprintln!("wget: {why}");
    1
}

fn show(asked: &Asked, answered: &Answered) -> i32 {
    let status = answered.status;
    if asked.headers {
        eprintln!("  HTTP/1.1 {status}");
    }
    if status != StatusCode::OK {
        return failed(&format!("server returned error: HTTP/1.1 {status}"));
    }
    if asked.headers {
        answered.headers.iter().for_each(|header| eprintln!("  {header}"));
        eprintln!("  ");
    }
    if !asked.quiet {
        eprintln!("writing to stdout");
    }
    print!("{}", String::from_utf8_lossy(&answered.body));
    if !asked.quiet {
        eprintln!("written to stdout");
    }
    0
}

/// `None` when it is none of what this one can.
fn parse(arguments: impl IntoIterator<Item = String>) -> Option<Asked> {
    let mut arguments = arguments.into_iter();
    let (mut method, mut url) = (Method::GET, None);
    let (mut quiet, mut headers, mut seconds) = (false, false, PATIENCE_SECONDS);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-q" => quiet = true,
            "-S" => headers = true,
            "-qS" | "-Sq" => (quiet, headers) = (true, true),
            "-T" => seconds = arguments.next()?.parse().ok()?,
            "-O-" | "-qO-" => quiet |= argument.starts_with("-q"),
            "-O" | "-qO" => {
                quiet |= argument.starts_with("-q");
                arguments.next().filter(|place| place == "-")?;
            }
            "--post-data" => {
                method = Method::POST;
                arguments.next()?;
            }
            post if post.starts_with("--post-data=") => method = Method::POST,
            _ => url = Some(argument),
        }
    }
    let rest = url?.strip_prefix("http://")?.to_owned();
    let (authority, path) = rest.split_once('/').unwrap_or((&rest, ""));
    let (authority, path) = (authority.to_owned(), format!("/{path}"));
    Some(Asked { method, authority, path, quiet, headers, seconds })
}

async fn get(asked: &Asked) -> anyhow::Result<Answered> {
    let place = match asked.authority.contains(':') {
        true => asked.authority.clone(),
        false => format!("{}:80", asked.authority),
    };
    let stream = TokioIo::new(TcpStream::connect(place).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    let driver = tokio::spawn(connection);
    let request = Request::builder().method(&asked.method).uri(&asked.path);
    let request = request.header("host", &asked.authority).header("connection", "close");
    let answer = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
    let status = answer.status();
    let headers = answer.headers().iter();
    let headers = headers.map(|(name, value)| header(name.as_str(), value.to_str().unwrap_or("")));
    let headers = headers.collect();
    let body = answer.into_body().collect().await?.to_bytes();
    driver.abort();
    Ok(Answered { status, headers, body })
}

/// `content-type` as Go writes it: `Content-Type`.
fn header(name: &str, value: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        format!("{}{rest}", first.to_ascii_uppercase())
    });
    format!("{}: {value}", words.collect::<Vec<_>>().join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Option<Asked> {
        parse(line.split(' ').map(str::to_owned))
    }

    #[test]
    fn the_ways_to_ask_that_busybox_has_are_understood() {
        let plain = asked("-O - http://127.0.0.1:9009/ha?activate=false").unwrap();
        assert_eq!((plain.authority.as_str(), &plain.method), ("127.0.0.1:9009", &Method::GET));
        assert_eq!((plain.path.as_str(), plain.quiet), ("/ha?activate=false", false));
        for line in ["-q -O - http://a/b", "-qO- http://a/b", "-q -O- http://a/b"] {
            assert_eq!(asked(line).map(|a| (a.quiet, a.path)), Some((true, "/b".into())), "{line}");
        }
        let post = asked("-qS -T 5 --post-data= -O - http://127.0.0.1:9009/pause").unwrap();
        assert_eq!((post.method, post.seconds, post.headers), (Method::POST, 5, true));
        assert_eq!(asked("-O file http://a/b"), None);
        assert_eq!(asked("https://a/b"), None);
    }

    #[test]
    fn headers_are_shown_as_they_are_sent() {
        assert_eq!(header("content-length", "0"), "Content-Length: 0");
        assert_eq!(header("date", "x"), "Date: x");
    }
}
