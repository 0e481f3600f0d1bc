//! Whole fleets: real containers, agents in processes of their own, a controller, officers.

mod abort;
mod absence;
mod attendance;
mod controller;
mod demo;
mod double;
mod drain;
mod drills;
mod emergency;
mod hold;
mod liar;
mod lies;
mod policy;
mod registry;
mod relapse;
mod screens;
mod secrets;
mod stop_start;
mod two_plans;
mod upgrade;
