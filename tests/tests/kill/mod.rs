//! The real program, ended at every point of a message's way and at moments drawn at random, against
//! a server that keeps what it took: nobody is written to twice, and nobody is lost.

mod accounts;
mod endings;
mod points;
mod storm;
