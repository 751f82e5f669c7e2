//! What an address costs with none, few and thousands in use.

use crate::contender::Contender;
use crate::figures::{Row, Spread};

/// How many addresses are in use while one more is given out and taken back.
const IN_USE: [usize; 3] = [0, 250, 4000];

/// Times ADD and DEL of each contender, interleaved so that all see the same machine.
pub(crate) fn measure(rounds: usize) -> Result<Vec<Row>, String> {
    let mut timed = Vec::new();
    for in_use in IN_USE {
        for contender in Contender::all(in_use) {
            contender.fill(in_use)?;
            timed.push((in_use, contender, Vec::new(), Vec::new()));
        }
    }
    for round in 0..rounds {
        for (_, contender, add, del) in &mut timed {
            let pod = format!("pod{round}");
            add.push(contender.call("ADD", &pod)?);
            del.push(contender.call("DEL", &pod)?);
        }
    }
    let mut rows: Vec<Row> = timed
        .into_iter()
        .map(|(in_use, contender, add, del)| Row {
            contender: contender.name.to_owned(),
            in_use,
            add: Spread::of(add),
            del: Spread::of(del),
        })
        .collect();
    rows.sort_by(|one, other| {
        one.contender
            .cmp(&other.contender)
            .then(one.in_use.cmp(&other.in_use))
    });
    Ok(rows)
}
