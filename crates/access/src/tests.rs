//! The gate, end to end over a real store.

use crate::facts::*;
use crate::testing::World;
use crate::*;

mod freshness;
mod gate;
mod matrix;
mod recorder;
mod why;
