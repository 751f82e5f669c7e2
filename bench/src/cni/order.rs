//! The order of the contenders in each round.

/// All of `count` contenders once, in a different order in each round: no contender always follows
/// the same other one, whose call may leave the processor's caches warm or cold.
pub(crate) fn order(round: usize, count: usize) -> impl Iterator<Item = usize> {
    let steps: Vec<usize> = (1..=count)
        .filter(|step| greatest_common_divisor(*step, count) == 1)
        .collect();
    let step = steps.get(round % steps.len().max(1)).copied().unwrap_or(1);
    (0..count).map(move |turn| (round + turn * step) % count)
}

fn greatest_common_divisor(one: usize, other: usize) -> usize {
    if other == 0 {
        one
    } else {
        greatest_common_divisor(other, one % other)
    }
}

#[cfg(test)]
mod tests;
