//! Whole fleets: real containers, agents in processes of their own, a controller, officers.

mod absence;
mod controller;
mod double;
mod emergency;
mod liar;
mod lies;
mod policy;
mod registry;
mod secrets;
mod stop_start;
mod two_plans;
mod upgrade;
