use muster_proto::documents::{Class, Digest};
use muster_proto::evidence::Chain;
use muster_proto::evidence::receipt::Event;
use muster_proto::rule::Stage;
use tempfile::TempDir;

use super::*;
use crate::journal::record::Last;
