//! Every point of the rule, by examples. The properties stand in `tests/tests/rule_*.rs`.

mod abort;
mod decision;
mod emergency;
pub(super) mod fixture;
mod order;
mod plans;
mod promise;
mod sum;
