//! A hostile world for the rule: random fleets and plans, and a controller that shows every
//! node what it likes of what was truly signed. The permission function is an argument, so
//! that broken rules can be shown to be caught.

mod books;
pub mod broken;
mod chains;
pub mod check;
pub mod node;
mod pictures;
pub mod scene;
mod shown;
pub mod walk;
pub mod world;

pub use check::Violation;
pub use muster_proto::rule::decide::Rule;
pub use scene::{PlanDraw, Relation, Scene, SceneDraw};
pub use shown::Reader;
pub use world::{Move, World};
