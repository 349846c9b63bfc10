//! Agents over real sockets on loopback.

use super::*;
use crate::membership::SystemResolver;
use base64::Engine;

/// Longest wait for anything; only a failing test waits that long.
const PATIENCE: Duration = Duration::from_secs(60);

fn keys(secret: u8) -> Arc<ArcSwap<KeyRing>> {
    let secret = base64::engine::general_purpose::STANDARD.encode([secret; 32]);
    let ring = format!("primary = \"k1\"\n[[key]]\nid = \"k1\"\nsecret = \"{secret}\"\n");
    Arc::new(ArcSwap::from_pointee(KeyRing::parse(&ring).unwrap()))
}

struct Agents {
    seeds: Vec<String>,
}

impl Agents {
    async fn start(
        &mut self,
        cluster: &str,
        index: usize,
        secret: u8,
    ) -> (Membership, mpsc::Receiver<MembershipEvent>) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let advertise = socket.local_addr().unwrap();
        self.seeds.push(advertise.to_string());
        start(Gossip {
            cluster_id: cluster.to_owned(),
            name: name(index),
            zone: String::new(),
            advertise,
            socket,
            keys: keys(secret),
            seeds: self.seeds.clone(),
            resolver: Arc::new(SystemResolver),
            settings: Settings::default(),
        })
    }
}

fn name(index: usize) -> NodeName {
    NodeName::new(format!("chat-{index}")).unwrap()
}

async fn until(membership: &Membership, wished: impl Fn(&Members) -> bool) {
    let mut members = membership.members();
    let seen = tokio::time::timeout(PATIENCE, members.wait_for(|members| wished(members))).await;
    assert!(seen.is_ok_and(|seen| seen.is_ok()), "in time");
}

#[tokio::test]
async fn nodes_find_each_other_and_see_who_serves_and_who_has_left() {
    let mut agents = Agents { seeds: Vec::new() };
    let mut running = Vec::new();
    for index in 0..3 {
        running.push(agents.start("chat", index, 1).await);
    }
    for (membership, _) in &running {
        until(membership, |members| {
            members.nodes().len() == 3 && members.view().is_empty()
        })
        .await;
        membership.set_state(MemberState::Serving).await.unwrap();
    }
    for (membership, _) in &running {
        until(membership, |members| members.view().nodes().len() == 3).await;
    }
    running[0].0.set_state(MemberState::Draining).await.unwrap();
    until(&running[1].0, |members| {
        !members.view().contains(&name(0)) && members.get(&name(0)).is_some()
    })
    .await;
    running[0].0.leave().await.unwrap();
    assert_eq!(running[0].0.leave().await, Err(MembershipError));
    until(&running[1].0, |members| members.get(&name(0)).is_none()).await;
}

#[tokio::test]
async fn a_restarted_node_is_known_by_its_new_life() {
    let mut agents = Agents { seeds: Vec::new() };
    let (one, _events) = agents.start("chat", 0, 1).await;
    let (first_life, events) = agents.start("chat", 1, 1).await;
    until(&one, |members| members.get(&name(1)).is_some()).await;
    let before = one.members().borrow().get(&name(1)).unwrap().generation;
    // The process is gone without a word; the same node starts again, elsewhere.
    drop((first_life, events));
    let (second_life, _events) = agents.start("chat", 1, 1).await;
    until(&one, |members| {
        members
            .get(&name(1))
            .is_some_and(|member| member.generation > before)
    })
    .await;
    let unasked = second_life.rejoin().await.unwrap();
    assert_eq!(
        Some(unasked),
        second_life
            .members()
            .borrow()
            .get(&name(1))
            .map(|member| member.generation)
    );
}

#[tokio::test]
async fn who_holds_another_secret_or_is_of_another_cluster_sees_nobody_and_is_not_seen() {
    let mut agents = Agents { seeds: Vec::new() };
    let (one, _one_events) = agents.start("chat", 0, 1).await;
    let (other_secret, _events) = agents.start("chat", 1, 2).await;
    let (other_cluster, _other_events) = agents.start("other", 2, 1).await;
    let (two, _two_events) = agents.start("chat", 3, 1).await;
    // When those that belong together have found each other, the others have had the same chances.
    for membership in [&one, &two] {
        until(membership, |members| members.nodes().len() == 2).await;
    }
    for (membership, index) in [(&other_secret, 1), (&other_cluster, 2)] {
        let members = membership.members();
        let members = members.borrow();
        assert_eq!(members.nodes().keys().collect::<Vec<_>>(), [&name(index)]);
    }
    assert!(one.members().borrow().get(&name(1)).is_none() && two.members().borrow().get(&name(2)).is_none());
}
