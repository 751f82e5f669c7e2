//! Which nodes are forgotten after which observations.

use super::*;

/// Checks and writes take place every second, a node has to be observed absent for a second, and
/// two nodes are forgotten at least two seconds apart.
const TIMES: ForgetTimes = ForgetTimes {
    after: Duration::from_secs(10),
};

/// Something that happens.
#[derive(Clone, Copy)]
enum Step {
    /// Some seconds pass, with a check at the end of each; these of `ALL` are absent.
    Seconds(u64, &'static [&'static str]),
    /// The registry was out of reach for a moment.
    Outage,
    /// A node was present for a moment.
    Returns(&'static str),
    /// A node's record was written anew.
    Registers(&'static str),
    /// There is no check for some seconds.
    NoChecks(u64),
    /// Another node takes over the count.
    Handover,
}

const ALL: [&str; 5] = ["a", "b", "c", "d", "e"];

/// The registry and the node that observes it.
struct World {
    now: Instant,
    revision: i64,
    interruptions: u64,
    counts: BTreeMap<&'static str, (i64, u64)>,
    records: BTreeMap<&'static str, i64>,
    tracker: AbsenceTracker,
    forgotten: Vec<(&'static str, u64)>,
    second: u64,
    too_many: bool,
}

impl World {
    fn new() -> Self {
        Self {
            now: Instant::now(),
            revision: 100,
            interruptions: 0,
            counts: BTreeMap::new(),
            records: ALL.into_iter().map(|node| (node, 7)).collect(),
            tracker: AbsenceTracker::new(TIMES),
            forgotten: Vec::new(),
            second: 0,
            too_many: false,
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.second += seconds;
        self.now += Duration::from_secs(seconds);
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Seconds(seconds, absent) => {
                for _ in 0..seconds {
                    self.pass(1);
                    self.check(absent);
                }
            }
            Step::Outage => self.interruptions += 1,
            Step::Returns(node) => drop(self.counts.remove(node)),
            Step::Registers(node) => {
                self.records.insert(node, 8);
                // The count belongs to the old record.
                self.counts.entry(node).and_modify(|count| count.1 = 0);
            }
            Step::NoChecks(seconds) => self.pass(seconds),
            Step::Handover => self.tracker = AbsenceTracker::new(TIMES),
        }
    }

    fn census(&self, absent: &[&'static str]) -> Census {
        let mut census = Census::default();
        for (node, record) in &self.records {
            if !absent.contains(node) {
                census.present += 1;
                continue;
            }
            let (counted, seconds) = self.counts.get(node).copied().unwrap_or_default();
            let absent = Absent {
                record: *record,
                counted,
                seconds,
            };
            census.absent.insert(NodeName::new(node).unwrap(), absent);
        }
        census
    }

    fn check(&mut self, absent: &[&'static str]) {
        let (census, own) = (self.census(absent), NodeName::new("a").unwrap());
        let decision = self
            .tracker
            .observe(&census, &own, self.interruptions, self.now);
        self.too_many = decision.too_many;
        for (node, _, seconds) in decision.write {
            self.revision += 1;
            let name = ALL.into_iter().find(|name| *name == node.as_str()).unwrap();
            self.counts.insert(name, (self.revision, seconds));
            self.tracker.recorded(&node, seconds, self.revision);
        }
        if let Some((node, _, total)) = decision.forget {
            assert!(total >= TIMES.after);
            let name = ALL.into_iter().find(|name| *name == node.as_str()).unwrap();
            self.records.remove(name);
            self.tracker.pause_until(self.now + TIMES.cooldown());
            self.forgotten.push((name, self.second));
        }
    }
}

#[test]
fn node_is_forgotten_when_its_counted_absence_is_over() {
    use Step::{Handover, NoChecks, Outage, Registers, Returns, Seconds};
    let e: &[&str] = &["e"];
    for (case, steps, expected) in [
        // The first check only finds that it is absent.
        ("absent all the time", vec![Seconds(20, e)], vec![("e", 11)]),
        ("not quite", vec![Seconds(10, e)], vec![]),
        (
            "back in time",
            vec![Seconds(9, e), Returns("e"), Seconds(5, &[])],
            vec![],
        ),
        (
            "back between two checks",
            vec![Seconds(9, e), Returns("e"), Seconds(9, e)],
            vec![],
        ),
        (
            "registered between two checks",
            vec![Seconds(9, e), Registers("e"), Seconds(9, e)],
            vec![],
        ),
        (
            "an outage, of which a second is lost",
            vec![Seconds(9, e), Outage, Seconds(9, e)],
            vec![("e", 12)],
        ),
        (
            "an outage without checks",
            vec![Seconds(6, e), Outage, NoChecks(100), Seconds(9, e)],
            vec![("e", 112)],
        ),
        (
            "the counting node slept",
            vec![Seconds(6, e), NoChecks(100), Seconds(9, e)],
            vec![("e", 112)],
        ),
        (
            "another node continues the count, and observes for itself first",
            vec![Seconds(11 - 2, e), Handover, Seconds(9, e)],
            vec![("e", 12)],
        ),
        (
            "it is long due, and an outage is just over",
            vec![Seconds(10, e), Outage, Seconds(1, e)],
            vec![],
        ),
        (
            "most were away for a while",
            vec![Seconds(6, e), Seconds(50, &["c", "d", "e"]), Seconds(9, e)],
            vec![("e", 62)],
        ),
        (
            "all but one are away",
            vec![Seconds(99, &["b", "c", "d", "e"])],
            vec![],
        ),
        (
            "the observing node is left out",
            vec![Seconds(99, &["a"])],
            vec![],
        ),
    ] {
        let mut world = World::new();
        for step in steps {
            world.apply(step);
        }
        assert_eq!(world.forgotten, expected, "{case}");
    }
}

#[test]
fn one_node_at_a_time_is_forgotten_longest_absent_first() {
    let mut world = World::new();
    world.apply(Step::Seconds(2, &["d"]));
    world.apply(Step::Seconds(20, &["c", "d"]));
    assert_eq!(world.forgotten, [("d", 11), ("c", 13)]);

    let mut world = World::new();
    world.apply(Step::Seconds(20, &["c", "d"]));
    assert_eq!(
        world.forgotten,
        [("c", 11), ("d", 13)],
        "by name if both were absent equally long"
    );
}

#[test]
fn half_of_the_nodes_present_is_too_few() {
    let mut world = World::new();
    world.records.remove("e");
    world.apply(Step::Seconds(1, &["c", "d"]));
    assert!(world.too_many);
    world.apply(Step::Seconds(1, &["d"]));
    assert!(!world.too_many);
}

#[test]
fn count_is_written_at_intervals_and_never_lost_or_doubled() {
    let mut world = World::new();
    for second in 1..=9 {
        world.apply(Step::Seconds(1, &["e"]));
        assert_eq!(world.counts["e"].1, second - 1);
    }
    let long = ForgetTimes {
        after: Duration::from_secs(72 * 3600),
    };
    let minutes = |time: Duration| time.as_secs() / 60;
    assert_eq!(minutes(long.check_interval()), 5);
    assert_eq!(minutes(long.cooldown()), 10);
    assert_eq!(minutes(long.write_step()), 216);
    assert_eq!(minutes(long.min_observed()), 10);
}
