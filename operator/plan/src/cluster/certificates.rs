//! Certificates: there before the ordinal is, renewed before they end.

use crate::{
    action::{Action, SecretKind},
    intent::Intent,
    names,
    observed::{Certificate, Observed},
    trust,
};

use super::facts;

/// Plans what is missing or due.
pub(super) fn plan(observed: &Observed, intent: &Intent, actions: &mut Vec<Action>) {
    let secrets = &observed.secrets;
    if secrets.foreign.contains(&SecretKind::NodeTls) || secrets.foreign.contains(&SecretKind::Authority) {
        return;
    }
    let renew = secrets
        .authority_not_after
        .is_some_and(|not_after| trust::authority_renew_at(not_after) <= observed.now);
    if renew {
        actions.push(Action::RenewAuthority);
    }
    let nodes: Vec<String> = holders(observed, intent)
        .into_iter()
        .filter(|name| renew || is_due(observed, secrets.certificates.get(name)))
        .collect();
    let operator = renew || is_due(observed, secrets.operator_certificate.as_ref());
    if !nodes.is_empty() || operator {
        actions.push(Action::IssueCertificates { nodes, operator });
    }
}

/// Names of the nodes that are there or about to be.
pub(super) fn holders(observed: &Observed, intent: &Intent) -> Vec<String> {
    let count = facts::kept_ordinals(observed).max(intent.replicas);
    (0..count)
        .map(|ordinal| names::node(&intent.name, ordinal))
        .collect()
}

fn is_due(observed: &Observed, certificate: Option<&Certificate>) -> bool {
    certificate.is_none_or(|certificate| trust::renew_at(*certificate) <= observed.now)
}
