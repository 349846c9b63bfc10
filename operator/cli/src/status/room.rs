//! Whether one node may be lost without losing service or the ability to change the map.

use super::observation::Observation;

/// So many nodes vote at most; the control group keeps their number odd, so that this is also what it grows to.
const VOTERS_MAX: usize = 5;
/// With fewer no group of voters survives the loss of one.
const NODES_MIN: usize = 3;

/// Whether there is room.
pub fn to_lose_a_node(observed: &Observation) -> bool {
    reason_against(observed).is_none()
}

/// What is missing for that, in a few words.
pub fn reason_against(observed: &Observation) -> Option<String> {
    let serving = observed.serving().count();
    let Some(group) = observed.control_group() else {
        return Some("no node tells of the control group".into());
    };
    let voters = group.voters.len();
    let alive = group
        .voters
        .iter()
        .filter(|voter| observed.serving().any(|node| node.name == **voter))
        .count();
    // One more than a majority of them.
    let enough = voters / 2 + 2;
    if serving >= NODES_MIN && alive >= enough {
        return None;
    }
    let needed = enough.max(NODES_MIN);
    if serving < needed {
        return Some(format!("needs {needed} serving"));
    }
    // They follow the nodes with a delay, from one odd number to the next.
    let wanted = serving.min(VOTERS_MAX).saturating_sub(1) / 2 * 2 + 1;
    Some(if voters < wanted {
        format!("{voters} of {wanted} voters so far")
    } else {
        format!("{alive} of {voters} voters serve")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::verdict::tests::healthy;

    fn with_voters(voters: &[&str]) -> Observation {
        let mut observed = healthy();
        for node in &mut observed.nodes {
            let group = node.reply.as_mut().and_then(|reply| reply.control_group.as_mut());
            group.unwrap().voters = voters.iter().map(|voter| (*voter).to_owned()).collect();
        }
        observed
    }

    #[test]
    fn what_is_missing_is_said() {
        let all = ["chat-0", "chat-1", "chat-2"];
        assert!(to_lose_a_node(&with_voters(&all)));
        let reason = |observed: &Observation| reason_against(observed).unwrap();
        assert_eq!(reason(&with_voters(&["chat-0"])), "1 of 3 voters so far");
        assert_eq!(reason(&with_voters(&[])), "0 of 3 voters so far");
        let mut silent = with_voters(&all);
        silent.nodes[2].reply = None;
        assert_eq!(reason(&silent), "needs 3 serving");
        assert_eq!(
            reason(&with_voters(&["chat-0", "chat-1", "chat-9"])),
            "2 of 3 voters serve"
        );
        assert_eq!(
            reason(&Observation::default()),
            "no node tells of the control group"
        );
    }
}
