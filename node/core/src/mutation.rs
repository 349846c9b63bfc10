//! Planted bugs, for the simulator to find. Without the feature `mutations` none can be switched on.

/// Which bugs are planted. The default is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mutations {
    /// A home that meets a conflict reloads and runs the batch again by itself, behind what is queued.
    #[cfg(feature = "mutations")]
    pub retry_in_home: bool,
    /// Look-ups go to the replica that only follows, and its "nobody" is believed.
    #[cfg(feature = "mutations")]
    pub ask_other_replica: bool,
    /// "Nobody" is remembered by the home for a while.
    #[cfg(feature = "mutations")]
    pub cache_nobody: bool,
    /// A session without a position begins right before the message that came, not at the cursor.
    #[cfg(feature = "mutations")]
    pub ignore_cursor: bool,
    /// Live messages overtake the backlog of their conversation.
    #[cfg(feature = "mutations")]
    pub live_before_backlog: bool,
    /// A subscriber's node passes on every frame, whether it has heard its number or not.
    #[cfg(feature = "mutations")]
    pub hear_any_number: bool,
    /// A pusher's node keeps to a relay that does not answer.
    #[cfg(feature = "mutations")]
    pub keep_to_relay: bool,
    /// A home goes on delivering to whoever was in a room when it began.
    #[cfg(feature = "mutations")]
    pub keep_members: bool,
    /// A home looks for the cursor of a device's own class where several classes share one.
    #[cfg(feature = "mutations")]
    pub ignore_cursor_sets: bool,
}

macro_rules! switches {
    ($($name:ident),* $(,)?) => {
        impl Mutations {
            $(
                /// Whether this bug is planted.
                #[must_use]
                pub(crate) fn $name(self) -> bool {
                    #[cfg(feature = "mutations")]
                    return self.$name;
                    #[cfg(not(feature = "mutations"))]
                    return false;
                }
            )*
        }
    };
}

switches!(
    retry_in_home,
    ask_other_replica,
    cache_nobody,
    ignore_cursor,
    live_before_backlog,
    hear_any_number,
    keep_to_relay,
    keep_members,
    ignore_cursor_sets
);
