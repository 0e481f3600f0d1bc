//! The stand-in node and its referee, compared with what real nodes were seen to do.

mod beat;
mod chain;
mod container;
mod recorded;
mod startup;
mod tips;
mod versions;
