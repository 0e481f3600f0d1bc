//! Roles as people look at them: who signs, until when, what is wrong.

use jiff::Timestamp;

/// One role of the root or of `targets`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleView {
    /// Such as `hotfix`.
    pub name: String,
    /// Of the metadata that is held; 0 for none.
    pub version: u64,
    /// When that metadata expires.
    pub expires: Option<Timestamp>,
    /// Signatures needed.
    pub threshold: usize,
    /// Whose signatures count.
    pub signers: Vec<Signer>,
    /// Whether it may speak.
    pub state: RoleState,
}

/// Somebody whose signature counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signer {
    /// As signed metadata names him.
    pub name: String,
    /// As signatures name him.
    pub key_id: String,
}

/// Whether a role may speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoleState {
    /// Verified and not expired.
    Good,
    /// Nobody has published anything of it yet.
    Unused,
    /// The snapshot pins it and nobody has delivered it.
    Withheld,
    /// Delivered, and refused or expired: code and words.
    Refused(String),
}
