//! One HTML file that needs nothing but itself: no script, no font, no picture from elsewhere.
//!
//! Names, titles and reasons were written by others: everything that is shown is escaped, and the
//! page forbids its reader's browser whatever it does not need itself.

use jiff::Timestamp;
use muster_proto::audit::{Line, Order};

use super::Report;
use super::text::{aborted, away, course, headline, tally};
use super::timeline::{class, timeline};
use crate::view::words::span;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1c2024;--page:#fff;--dim:#5c6570;--line:#d8dde3;\
--good:#2e7d32;--bad:#b3261e;--own:#8a5a00;--open:#1f5fa8}\
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--page:#16191c;--dim:#a3abb5;--line:#3a4149;\
--good:#7cc47f;--bad:#f2938c;--own:#e0b45c;--open:#8ab8f0}}\
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);\
margin:2rem auto;max-width:70rem;padding:0 1rem}\
h1{font-size:1.3rem}p.dim,footer{color:var(--dim)}.doubt{color:var(--bad);font-weight:600}\
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}\
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}\
th{color:var(--dim);font-weight:600}td.good{color:var(--good)}td.bad{color:var(--bad)}\
td.own{color:var(--own)}td.open{color:var(--open)}td.none{color:var(--dim)}\
div.wide{overflow-x:auto}svg{width:100%;min-width:40rem;margin:1rem 0}\
svg text{fill:var(--ink);font-size:12px}svg text.name{text-anchor:end}\
svg text.tick{fill:var(--dim);font-size:11px;text-anchor:middle}\
svg .grid{stroke:var(--line)}svg .wait{stroke:var(--dim);stroke-dasharray:3 3}\
svg .mark{fill:var(--dim)}svg .good{fill:var(--good)}svg .bad{fill:var(--bad)}\
svg .own{fill:var(--own)}svg .open{fill:var(--open)}svg .none{fill:var(--dim)}";

/// The page; as XML it is well-formed too.
pub fn html(report: &Report) -> String {
    let told = &report.attendance;
    let title = escaped(&format!("Attendance of plan {} on {}", told.plan, told.network));
    let doubt = report.doubt.as_ref().map_or(String::new(), |doubt| {
        format!("<p class=\"doubt\">Doubt: {}</p>\n", escaped(doubt))
    });
    let aborted = aborted(told).map_or(String::new(), |aborted| {
        format!("<p class=\"doubt\">Aborted {}</p>\n", escaped(&aborted))
    });
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n\
         <meta charset=\"utf-8\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>{}</h1>\n<p>{}</p>\n<p>{}</p>\n{aborted}{doubt}<p class=\"dim\">Away: {}.</p>\n\
         <div class=\"wide\">\n{}</div>\n<div class=\"wide\">\n{}</div>\n\
         <footer>\n<p>Times are UTC, each by its own host's clock.</p>\n\
         <p>Recomputed from signed documents and receipts, as of {}, from the root whose SHA-256 is \
         <code>{}</code>. Verify it offline: <code>muster bundle verify</code>.</p>\n</footer>\n\
         </body>\n</html>\n",
        escaped(&headline(told)),
        escaped(&course(told)),
        escaped(&tally(told)),
        escaped(&away(told)),
        timeline(told),
        rows(&told.nodes),
        told.issued,
        told.first_root.hex(),
    )
}

fn rows(lines: &[Line]) -> String {
    let head = ["node", "seat", "wave", "promised", "began", "over", "how", "away", "order", "why"];
    let head: String = head.iter().map(|it| format!("<th>{it}</th>")).collect();
    let body: String = lines.iter().map(row).collect();
    format!("<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n")
}

fn row(line: &Line) -> String {
    let time = |at: Option<Timestamp>| {
        at.map_or("–".to_owned(), |at| at.strftime("%F %H:%M:%S").to_string())
    };
    let late = if line.late { ", late" } else { "" };
    let cell = |text: &str| format!("<td>{}</td>", escaped(text));
    let how = format!("<td class=\"{}\">{}{late}</td>", class(line.how), line.how.word());
    let cells = [
        cell(&line.node),
        cell(line.seat.as_deref().unwrap_or("–")),
        cell(line.wave.as_deref().unwrap_or("–")),
        cell(&time(line.acknowledged)),
        cell(&time(line.began)),
        cell(&time(line.finished)),
        how,
        cell(&line.away_ms.map_or("–".into(), span)),
        cell(line.order.map_or("–", Order::word)),
        cell(line.why.as_deref().unwrap_or_default()),
    ];
    format!("<tr>{}</tr>\n", cells.concat())
}

/// Text that means nothing but itself, in an element or an attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
