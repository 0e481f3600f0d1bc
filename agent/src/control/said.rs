//! Errors as one line for people.

/// The error and its sources, once each.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let said = error.to_string();
        // A transparent error says what its source says.
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = error.source();
    }
    text
}

/// The first line, bounded, without what could drive a terminal: it may come from a board.
pub fn one_line(text: &str) -> String {
    const MOST_CHARS: usize = 200;
    let line = text.lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(MOST_CHARS).collect()
}
