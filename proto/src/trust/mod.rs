//! Trust: which bytes may be believed, as of which moment, on whose signatures.
//!
//! [`Tuf`] drives the verifier of The Update Framework and knows nothing of Muster.
//! [`Trust`] is the stricter reading that Muster makes of it: roles addressed by
//! class and never searched, paths that equal what their document says, everything
//! bounded. [`draft`] and [`publisher`] are the signing side. Pure but for
//! [`keys`], which asks the kernel for randomness, and [`state`], the one file.

pub mod draft;
mod driver;
mod error;
pub mod keys;
mod ledger;
mod library;
pub mod limits;
pub mod metadata;
mod offer;
pub mod publisher;
mod read;
mod shape;
pub mod state;
mod stored;
mod tuf;
mod view;

pub use driver::Trust;
pub use error::{StateError, TrustError};
pub use keys::{KeyError, SecretKey};
pub use ledger::{Admitted, Ledger, LedgerError};
pub use offer::{Offer, Publication, Refused, Taken, Versions};
pub use publisher::Publisher;
pub use state::{State, StateFile};
pub(crate) use stored::StoredOffer;
pub use tuf::{Step, TargetFile, Targets, Tuf};
pub use view::{RoleState, RoleView, Signer};

#[cfg(test)]
mod tests;
