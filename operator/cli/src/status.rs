//! What `tim status` knows, judges and shows; the same for a laptop and for Kubernetes.
//!
//! A target gathers an [`Observation`]; [`verdict::judge`] says what it means, from what was observed and never from an
//! earlier phase; [`document`] is what programs get and [`screen`] what people see.

pub mod document;
pub mod observation;
pub mod room;
pub mod screen;
pub mod verdict;

pub use document::{StatusDocument, Verdict};
pub use observation::Observation;
