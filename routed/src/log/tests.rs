use super::*;

fn shown(lines: &Lines, kind: LineKind) -> Vec<String> {
    let of_kind = lines.0.get(&kind).into_iter();
    let lines = of_kind.flat_map(|of_kind| of_kind.summarised(kind));
    lines.map(|line| line.text).collect()
}

#[test]
fn up_to_sixteen_lines_of_a_kind_are_written_out() {
    let mut lines = Lines::default();
    for number in 0..16 {
        lines.add(LineKind::Added, || {
            LogLine::new(LineKind::Added, number.to_string())
        });
    }
    assert_eq!(shown(&lines, LineKind::Added).len(), 16);
    assert!(shown(&lines, LineKind::Withdrawn).is_empty());
}

#[test]
fn more_lines_are_counted_without_being_formatted() {
    let (mut lines, mut formatted) = (Lines::default(), 0);
    for number in 0..5_000 {
        lines.add(LineKind::Added, || {
            formatted += 1;
            LogLine::new(LineKind::Added, format!("r{number}"))
        });
    }
    lines.extend([LogLine::new(LineKind::Failed, "f".to_owned())]);
    assert_eq!(
        shown(&lines, LineKind::Added),
        ["5000 routes added; the first: r0"]
    );
    let summary = &lines.0[&LineKind::Added].summarised(LineKind::Added)[0];
    assert_eq!(summary.count, Some(5_000));
    assert_eq!(shown(&lines, LineKind::Failed), ["f"]);
    assert_eq!(formatted, MAX_LINES_PER_KIND);
}
