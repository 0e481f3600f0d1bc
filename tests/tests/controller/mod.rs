mod agent;
mod attach;
mod desk;
mod program;
mod restart;
mod world;
