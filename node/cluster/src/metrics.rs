//! What this crate measures.

use crate::membership::{MemberState, Members};
use crate::seal::Rejection;
use tim_telemetry::names;
use tim_telemetry::{Counter, Gauge, attribute, counter, gauge};

/// Gossip and what it shows.
pub(crate) struct GossipMetrics {
    rejected: Counter,
    members: Gauge,
}

impl Default for GossipMetrics {
    fn default() -> Self {
        Self {
            rejected: counter(&names::GOSSIP_REJECTED),
            members: gauge(&names::MEMBER_COUNT),
        }
    }
}

impl GossipMetrics {
    pub(crate) fn rejected(&self, rejection: Rejection) {
        self.rejected
            .add(1, &[attribute(&names::ERROR_TYPE, rejection.error_type())]);
    }

    pub(crate) fn members(&self, members: &Members) {
        for (state, name) in [
            (MemberState::Joining, "joining"),
            (MemberState::Serving, "serving"),
            (MemberState::Draining, "draining"),
        ] {
            let count = members
                .nodes()
                .values()
                .filter(|member| member.state == state)
                .count();
            self.members
                .record(count as f64, &[attribute(&names::MEMBER_STATE, name)]);
        }
    }
}

/// Certificates in use.
pub(crate) struct CertificateMetrics {
    not_after: Gauge,
}

impl Default for CertificateMetrics {
    fn default() -> Self {
        Self {
            not_after: gauge(&names::CERTIFICATE_NOT_AFTER),
        }
    }
}

impl CertificateMetrics {
    pub(crate) fn not_after(&self, unix_seconds: i64) {
        self.not_after.record(
            unix_seconds as f64,
            &[attribute(&names::CERTIFICATE_PURPOSE, "peer")],
        );
    }
}

/// The control group.
pub(crate) struct ControlMetrics {
    leader: Gauge,
    term: Gauge,
}

impl Default for ControlMetrics {
    fn default() -> Self {
        Self {
            leader: gauge(&names::CONTROL_LEADER),
            term: gauge(&names::CONTROL_TERM),
        }
    }
}

impl ControlMetrics {
    pub(crate) fn record(&self, is_leader: bool, term: u64) {
        self.leader.record(f64::from(u8::from(is_leader)), &[]);
        self.term.record(term as f64, &[]);
    }
}
