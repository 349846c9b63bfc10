//! Forgetting conversations: those that nobody has used for a while, and rooms when too many members are in memory.
//!
//! Nothing is lost by it: a lane that goes on with a forgotten conversation is told that the tenure is over, and opens it
//! anew.

use crate::home::hosted::Hosted;
use crate::home::machine::{Home, IDLE_SCAN_MS};
use crate::home::members::Members;
use crate::id::ConversationId;
use crate::time::Moment;

impl Home {
    /// Forgets what nobody has used for long; when to look again.
    pub(super) fn forget_idle(&mut self, now: Moment) -> Option<Moment> {
        let idle_ms = self.config.idle_ms;
        self.hosted
            .retain(|_, hosted| !hosted.is_idle() || now.since_ms(hosted.last_used) < idle_ms);
        let idle_at = |hosted: &Hosted| hosted.last_used.plus_ms(idle_ms).max(now.plus_ms(IDLE_SCAN_MS));
        self.hosted.values().map(idle_at).min()
    }

    /// One more conversation is in memory. Beyond the limit those that were used longest ago are forgotten, until a quarter
    /// of it is free.
    pub(super) fn hold_conversations(&mut self, now: Moment) {
        let limit = self.config.max_conversations;
        if self.hosted.len() <= limit || now < self.crowded_until {
            return;
        }
        let mut idle: Vec<(Moment, ConversationId)> = self
            .hosted
            .iter()
            .filter(|(_, hosted)| hosted.is_idle())
            .map(|(conversation, hosted)| (hosted.last_used, *conversation))
            .collect();
        idle.sort_unstable();
        let beyond = self.hosted.len() - (limit - limit / 4);
        for (_, conversation) in idle.into_iter().take(beyond) {
            self.hosted.remove(&conversation);
        }
        if self.hosted.len() > limit {
            self.crowded_until = now.plus_ms(IDLE_SCAN_MS);
        }
    }

    /// So many more members of a room are in memory. Beyond the limit the rooms that were used longest ago are forgotten,
    /// until a quarter of it is free; `but` is not, nor what is at work.
    pub(super) fn hold_members(&mut self, more: usize, but: ConversationId) {
        // Those who went, and rooms that were forgotten, are counted at the next look only.
        self.members_at_most += more;
        let limit = self.config.max_room_members_held;
        if self.members_at_most <= limit {
            return;
        }
        let held = |hosted: &Hosted| hosted.members.as_ref().map_or(0, Members::len);
        let mut total = 0;
        let mut idle = Vec::new();
        for (conversation, hosted) in &self.hosted {
            let members = held(hosted);
            total += members;
            if members > 0 && *conversation != but && hosted.is_idle() {
                idle.push((hosted.last_used, *conversation, members));
            }
        }
        idle.sort_unstable();
        for (_, conversation, members) in idle {
            if total <= limit - limit / 4 {
                break;
            }
            self.hosted.remove(&conversation);
            total -= members;
        }
        self.members_at_most = total;
    }
}
