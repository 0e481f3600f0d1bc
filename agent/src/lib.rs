//! The agent: the only program that touches a node.
