//! TimClusters, each in a namespace of its own; several at once.

mod chatting;
mod databases;
mod deletion;
mod life;
mod network;
mod quiet;
mod tracing;
