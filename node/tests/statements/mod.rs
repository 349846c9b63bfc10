//! What the specification says, each statement with its check.

mod accounts;
mod delivery;
mod frames;
mod messages;
mod presence;
mod rooms;
mod roster;
pub mod stage;
mod streams;

use futures::future::LocalBoxFuture;
use stage::Stage;

/// One statement.
#[derive(Clone, Copy)]
pub struct Statement {
    /// Section of the specification.
    pub section: &'static str,
    /// What it says.
    pub says: &'static str,
    /// Panics if it is not so.
    pub check: for<'a> fn(&'a Stage) -> LocalBoxFuture<'a, ()>,
}

/// Makes a list of statements out of sections, words and checks.
macro_rules! statements {
    ($($section:literal $says:literal => $check:ident),+ $(,)?) => {
        pub(super) const STATEMENTS: &[super::Statement] = &[$(super::Statement {
            section: $section,
            says: $says,
            check: |stage| Box::pin($check(stage)),
        }),+];
    };
}
use statements;

/// All of them, in order of their sections.
pub fn all() -> impl Iterator<Item = Statement> {
    [
        frames::STATEMENTS,
        accounts::STATEMENTS,
        delivery::STATEMENTS,
        messages::STATEMENTS,
        roster::STATEMENTS,
        rooms::STATEMENTS,
        presence::STATEMENTS,
        streams::STATEMENTS,
    ]
    .into_iter()
    .flatten()
    .copied()
}
