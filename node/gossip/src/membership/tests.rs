use super::core::{Core, Effect, Event, Outside};
use super::identity::MemberState;
use super::settings::Settings;
use super::simulation::{Cluster, address, identity, name};
use tim_core::id::Generation;
use tim_core::time::Moment;

#[test]
fn a_dead_node_is_seen_by_all_within_three_seconds() {
    for n_nodes in [3, 5, 16] {
        for seed in 0..10 {
            let mut cluster = Cluster::formed(n_nodes, seed);
            cluster.run(1_000 + seed * 37);
            cluster.nodes[n_nodes - 1].dead = true;
            let seen = cluster.run_until(3_000, |cluster| {
                (0..n_nodes - 1).all(|index| !cluster.sees(index, n_nodes - 1))
            });
            assert!(seen, "{n_nodes} nodes, seed {seed}");
            assert!((0..n_nodes - 1).all(|index| cluster.serving(index).len() == n_nodes - 1));
        }
    }
}

#[test]
fn no_false_alarm_in_ten_minutes_at_thirty_percent_loss() {
    for (n_nodes, seeds) in [(3, 0..2), (5, 4..5), (16, 6..7)] {
        for seed in seeds {
            let mut cluster = Cluster::formed(n_nodes, seed);
            cluster.loss = 0.3;
            let whole = |cluster: &Cluster| (0..n_nodes).all(|index| cluster.n_serving(index) == n_nodes);
            let alarm = cluster.run_until(600_000, |cluster| !whole(cluster));
            assert!(!alarm, "{n_nodes} nodes, seed {seed}, at {:?}", cluster.now);
            assert!(cluster.nodes.iter().all(|node| node.outs.is_empty()));
        }
    }
}

#[test]
fn a_draining_node_leaves_the_view_and_stays_a_member() {
    let mut cluster = Cluster::formed(3, 1);
    cluster.event(0, Event::State(MemberState::Draining));
    assert!(!cluster.sees(0, 0), "its own view at once");
    assert!(cluster.run_until(3_000, |cluster| (1..3).all(|index| {
        !cluster.sees(index, 0) && cluster.nodes[index].core.members().get(&name(0)).is_some()
    })));
    cluster.event(0, Event::State(MemberState::Serving));
    assert!(cluster.run_until(3_000, |cluster| (0..3).all(|index| cluster.sees(index, 0))));
}

#[test]
fn a_leaving_node_is_gone_without_suspicion() {
    let mut cluster = Cluster::formed(5, 2);
    cluster.event(4, Event::Leave);
    assert_eq!(cluster.nodes[4].outs, [Outside::Left]);
    cluster.nodes[4].dead = true;
    let gone = cluster.run_until(1_000, |cluster| (0..4).all(|index| !cluster.sees(index, 4)));
    assert!(gone, "faster than any failure is found");
}

#[test]
fn a_node_that_was_stopped_is_out_until_it_rejoins_as_a_new_life() {
    let mut cluster = Cluster::formed(3, 3);
    cluster.event(2, Event::Stopped);
    assert!(!cluster.sees(2, 2));
    assert!(cluster.run_until(5_000, |cluster| !cluster.sees(0, 2) && !cluster.sees(1, 2)));
    cluster.event(2, Event::Rejoin(Generation(2)));
    cluster.event(2, Event::State(MemberState::Serving));
    assert!(cluster.run_until(5_000, |cluster| {
        (0..3).all(|index| {
            let view = cluster.nodes[index].core.members().view();
            view.get(&name(2))
                .is_some_and(|node| node.boot_generation == Generation(2))
        })
    }));
    assert!((0..3).all(|index| cluster.serving(index).len() == 3));
}

#[test]
fn a_node_declared_dead_finds_out_and_is_out() {
    let mut cluster = Cluster::formed(3, 4);
    cluster.cut.extend([(0, 2), (1, 2)]);
    assert!(cluster.run_until(5_000, |cluster| !cluster.sees(0, 2) && !cluster.sees(1, 2)));
    cluster.cut.clear();
    let told = cluster.run_until(30_000, |cluster| {
        (0..3).any(|index| !cluster.nodes[index].outs.is_empty())
    });
    assert!(told, "somebody is told that it was declared dead");
    assert!(
        cluster
            .nodes
            .iter()
            .flat_map(|node| &node.outs)
            .all(|out| *out == Outside::DeclaredDead)
    );
}

#[test]
fn a_cut_cluster_becomes_whole_again_when_those_told_rejoin() {
    let mut cluster = Cluster::formed(5, 5);
    for one in 0..2 {
        cluster.cut.extend((2..5).map(|other| (one, other)));
    }
    assert!(cluster.run_until(10_000, |cluster| cluster.serving(0).len() == 2
        && cluster.serving(2).len() == 3));
    cluster.cut.clear();
    let mut generation = 1;
    for _ in 0..600 {
        cluster.run(100);
        for index in 0..5 {
            if cluster.nodes[index].outs.pop().is_some() {
                generation += 1;
                cluster.event(index, Event::Rejoin(Generation(generation)));
                cluster.event(index, Event::State(MemberState::Serving));
            }
        }
    }
    assert!((0..5).all(|index| cluster.serving(index).len() == 5));
}

#[test]
fn a_member_that_has_defended_itself_is_not_told_that_it_is_dead() {
    // Loss makes suspicions; each is defended against, and its timer runs out afterwards.
    let mut cluster = Cluster::formed(3, 0);
    cluster.loss = 0.3;
    cluster.run(20_000);
    assert!(cluster.nodes.iter().all(|node| node.outs.is_empty()));
}

#[test]
fn a_restarted_node_replaces_its_former_life() {
    let mut cluster = Cluster::formed(3, 6);
    cluster.nodes[1].core = Core::new(identity(1, 2), &Settings::default(), 99);
    cluster.event(1, Event::Announce(vec![address(0)]));
    cluster.event(1, Event::State(MemberState::Serving));
    assert!(cluster.run_until(3_000, |cluster| {
        (0..3).all(|index| {
            let view = cluster.nodes[index].core.members().view();
            view.get(&name(1))
                .is_some_and(|node| node.boot_generation == Generation(2))
        })
    }));
}

#[test]
fn a_life_below_the_one_known_is_told_so_at_once() {
    let mut cluster = Cluster::formed(3, 7);
    cluster.nodes[1].core = Core::new(identity(1, 0), &Settings::default(), 99);
    cluster.event(1, Event::Announce(vec![address(0)]));
    assert!(cluster.run_until(1_000, |cluster| cluster.nodes[1].outs == [Outside::DeclaredDead]));
}

#[test]
fn one_seed_gives_one_run() {
    let trace = || {
        let mut cluster = Cluster::formed(5, 8);
        cluster.loss = 0.2;
        cluster.run(20_000);
        (
            cluster.now,
            (0..5)
                .map(|index| cluster.nodes[index].core.deadline())
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(trace(), trace());
}

#[test]
fn junk_is_refused_and_changes_nothing() {
    let mut core = Core::new(identity(0, 1), &Settings::default(), 1);
    let before = core.members().clone();
    for junk in [vec![], vec![0], vec![0xff; 300], b"chat".to_vec()] {
        let mut effects = Vec::new();
        core.handle(Moment(1), Event::Payload(junk), &mut effects);
        assert_eq!(effects, [Effect::Malformed]);
        assert_eq!(core.members(), &before);
    }
}
