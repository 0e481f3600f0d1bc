//! The tree between text and documents.

use super::source::Span;

/// What an unquoted scalar looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// Digits.
    Whole,
    /// With a point or an exponent.
    Fraction,
    /// Everything else, and everything quoted.
    Text,
}

/// What stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing, or `null`.
    Null,
    /// As it was written.
    Scalar(Kind, String),
    /// In order.
    List(Vec<Node>),
    /// In order, doubles included.
    Map(Vec<(Key, Node)>),
}

impl Value {
    /// For people.
    pub fn what(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Scalar(Kind::Bool, _) => "true or false",
            Value::Scalar(Kind::Whole, _) => "a whole number",
            Value::Scalar(Kind::Fraction, _) => "a number with a fraction",
            Value::Scalar(Kind::Text, _) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a group of fields",
        }
    }
}

/// A field's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// As it was written.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// A value with its path and place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What.
    pub value: Value,
    /// Such as `order[1].done`; empty for the document itself.
    pub path: String,
    /// Where.
    pub span: Span,
}
