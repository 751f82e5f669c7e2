use super::*;

#[test]
fn columns_line_up_and_colours_take_no_space() {
    let rows = [
        vec![
            StyledText::new(Style::Name, "n1/a"),
            StyledText::right(Style::Good, "7"),
        ],
        vec![
            StyledText::new(Style::Name, "n1"),
            StyledText::right(Style::Bad, "✗"),
            StyledText::new(Style::Plain, ""),
        ],
        vec![
            StyledText::new(Style::Name, "n2"),
            StyledText::right(Style::Good, "1234"),
        ],
    ];
    assert_eq!(
        render(&rows, Paint::Nothing),
        "  n1/a     7\n  n1       ✗\n  n2    1234\n"
    );
    let coloured = render(&rows[..1], Paint::Colours);
    assert_eq!(coloured, "  \x1b[1;36mn1/a\x1b[0m  \x1b[32m7\x1b[0m\n");
}
