//! Findings as miette diagnostics, for whoever renders with it.

use miette::{
    Diagnostic, LabeledSpan, MietteError, MietteSpanContents, Severity as Level, SourceCode,
    SourceSpan, SpanContents,
};

use super::codes::Severity;
use super::finding::{Finding, Refused};
use super::source::Place;

impl Diagnostic for Finding {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new(self.code.as_str()))
    }

    fn severity(&self) -> Option<Level> {
        Some(match self.code.severity() {
            Severity::Error => Level::Error,
            Severity::Warning => Level::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new(&self.fix))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().filter(|place| place.text.is_some()).map(|place| place as _)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.place.as_ref()?;
        let text = place.text.as_ref()?;
        let bytes =
            |chars: u32| -> usize { text.chars().take(chars as usize).map(char::len_utf8).sum() };
        let start = bytes(place.column.saturating_sub(1));
        let end = bytes(place.column.saturating_sub(1) + place.width);
        let label = LabeledSpan::new(Some(self.note.clone()), start, end - start);
        Some(Box::new(std::iter::once(label)))
    }
}

/// The one line that is known, at its number in the file.
impl SourceCode for Place {
    fn read_span<'a>(
        &'a self,
        _span: &SourceSpan,
        _before: usize,
        _after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let text = self.text.as_deref().ok_or(MietteError::OutOfBounds)?;
        let whole = SourceSpan::from((0, text.len()));
        let line = self.line.saturating_sub(1) as usize;
        let contents =
            MietteSpanContents::new_named(self.file.clone(), text.as_bytes(), whole, line, 0, 1);
        Ok(Box::new(contents))
    }
}

impl Diagnostic for Refused {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.0.iter().map(|finding| finding as &dyn Diagnostic)))
    }
}
