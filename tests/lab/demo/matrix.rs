//! The matrix of who reaches whom, and what the receivers saw: text from the results of the
//! queries.

use super::survey::{Party, ProbedPair};
use super::table::{self, Paint, Style, StyledText, WIDTH};

/// The width of a column, with the space before it. Round trips over a second do not fit; they do
/// not come up.
const COLUMN: usize = 9;

/// How many failures are explained; the matrix shows all of them.
const EXPLAINED: usize = 12;

/// A row for each sender, a column for each receiver; more columns than fit go below each other.
pub(super) fn matrix(parties: &[Party], probed: &[ProbedPair], ipv6: bool, paint: Paint) -> String {
    let longest = parties
        .iter()
        .map(|party| party.name.len())
        .max()
        .unwrap_or_default();
    let fits = (WIDTH.saturating_sub(longest + 2) / COLUMN.max(longest + 2)).max(1);
    let columns: Vec<usize> = (0..parties.len()).collect();
    let even = columns
        .len()
        .div_ceil(columns.len().div_ceil(fits).max(1))
        .max(1);
    let blocks = columns.chunks(even).map(|block| {
        let mut rows = vec![heading(parties, block)];
        rows.extend((0..parties.len()).map(|from| row(parties, probed, from, block, ipv6)));
        table::render(&rows, paint)
    });
    blocks.collect::<Vec<_>>().join("\n")
}

fn heading(parties: &[Party], block: &[usize]) -> Vec<StyledText> {
    let name = |&to: &usize| StyledText::right(Style::Name, format!("{:>6}", parties[to].name));
    [StyledText::new(Style::Aside, "from")]
        .into_iter()
        .chain(block.iter().map(name))
        .collect()
}

fn row(
    parties: &[Party],
    probed: &[ProbedPair],
    from: usize,
    block: &[usize],
    ipv6: bool,
) -> Vec<StyledText> {
    let cell = |&to: &usize| {
        if from == to {
            return StyledText::right(Style::Aside, "·");
        }
        let mut answers = probed
            .iter()
            .filter(|one| (one.from, one.to, one.is_ipv6()) == (from, to, ipv6));
        match answers.next() {
            Some(ProbedPair {
                complaint: None,
                answer,
                ..
            }) => StyledText::right(
                Style::Good,
                answer.ping.as_ref().map_or(String::new(), |&t| time(t)),
            ),
            _ => StyledText::right(Style::Bad, "✗"),
        }
    };
    let name = StyledText::new(Style::Name, &parties[from].name);
    [name].into_iter().chain(block.iter().map(cell)).collect()
}

/// Microseconds in three digits and a unit.
pub(super) fn time(micros: u64) -> String {
    match micros {
        0..1000 => format!("{micros} µs"),
        1000..100_000 => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
        _ => format!("{} ms", micros / 1000),
    }
}

/// What went wrong, in words, as far as that is readable.
pub(super) fn complaints(parties: &[Party], probed: &[ProbedPair]) -> Vec<String> {
    let failed: Vec<&ProbedPair> = probed
        .iter()
        .filter(|one| one.complaint.is_some())
        .collect();
    let words = failed.iter().take(EXPLAINED).map(|one| {
        let (from, to) = (&parties[one.from].name, &parties[one.to].name);
        format!(
            "{from} to {to}: {}",
            one.complaint.as_deref().unwrap_or_default()
        )
    });
    let rest = failed.len().saturating_sub(EXPLAINED);
    words
        .chain((rest > 0).then(|| format!("and {rest} more")))
        .collect()
}

/// One question of each kind in each family: the sender's own address, and the one that the receiver
/// saw. One that shows a translation, if any does; else one to another node, if there is one.
pub(super) fn examples(parties: &[Party], probed: &[ProbedPair]) -> Vec<Vec<StyledText>> {
    let aside = |text| StyledText::new(Style::Aside, text);
    let mut rows = vec![
        ["sender", "its address", "receiver", "address it saw"]
            .map(aside)
            .to_vec(),
    ];
    for ipv6 in [false, true] {
        for kind in [[true, true], [true, false], [false, true]] {
            let ends = |one: &ProbedPair| [&parties[one.from], &parties[one.to]];
            let alike = |one: &&ProbedPair| {
                one.is_ipv6() == ipv6 && ends(one).map(|party| party.is_pod) == kind
            };
            let afar = |one: &&ProbedPair| ends(one)[0].node != ends(one)[1].node;
            let translated =
                |one: &&ProbedPair| one.answer.tcp.is_ok() && !one.seen_as_itself(parties);
            let those = || probed.iter().filter(alike);
            let found = those().find(translated).or_else(|| those().find(afar));
            let found = found.or_else(|| those().next());
            rows.extend(found.map(|one| example(parties, one)));
        }
    }
    rows
}

fn example(parties: &[Party], one: &ProbedPair) -> Vec<StyledText> {
    let (from, to) = (&parties[one.from], &parties[one.to]);
    let own = from
        .addresses
        .iter()
        .find(|address| address.is_ipv6() == one.is_ipv6());
    let style = if one.seen_as_itself(parties) {
        Style::Good
    } else {
        Style::Bad
    };
    let seen = one
        .answer
        .tcp
        .as_ref()
        .map_or_else(Clone::clone, ToString::to_string);
    vec![
        StyledText::new(Style::Name, &from.name),
        StyledText::new(
            Style::Plain,
            own.map(ToString::to_string).unwrap_or_default(),
        ),
        StyledText::new(Style::Name, &to.name),
        StyledText::new(style, seen),
    ]
}

#[cfg(test)]
mod tests;
