use super::*;

const COLUMNS: [(&str, Align); 3] = [
    ("SUBNET", Align::Left),
    ("USED", Align::Right),
    ("NODE", Align::Left),
];

fn row(cells: [&str; 3]) -> Vec<Cell> {
    cells.map(Cell::from).to_vec()
}

#[test]
fn columns_fit_their_texts_and_numbers_are_right_aligned() {
    let rows = [
        row(["10.244.7.0/24", "3", "n1"]),
        row(["fd00::/80", "12345", ""]),
    ];
    assert_eq!(
        render(&COLUMNS, &rows, Terminal::PIPE),
        "SUBNET          USED  NODE\n\
             10.244.7.0/24      3  n1\n\
             fd00::/80      12345"
    );
    assert_eq!(render(&COLUMNS, &[], Terminal::PIPE), "SUBNET  USED  NODE");
}

#[test]
fn narrow_terminal_cuts_the_widest_column_and_a_pipe_none() {
    let long = format!("{}.example.com", "n".repeat(60));
    let rows = [row(["10.244.7.0/24", "3", &long])];
    let narrow = Terminal {
        width: Some(40),
        colours: false,
    };
    let text = render(&COLUMNS, &rows, narrow);
    assert!(
        text.lines().all(|line| line.chars().count() <= 40),
        "{text}"
    );
    assert!(
        text.contains("10.244.7.0/24") && text.ends_with("nnn..."),
        "{text}"
    );
    assert!(render(&COLUMNS, &rows, Terminal::PIPE).ends_with(&long));
    let too_narrow = Terminal {
        width: Some(5),
        ..narrow
    };
    assert!(render(&COLUMNS, &rows, too_narrow).contains("10.24..."));
}

#[test]
fn colours_do_not_change_the_width() {
    let cell = Cell::new("ok", Tone::Good);
    let rows = [vec![cell, "7".into(), "n1".into()]];
    let coloured = Terminal {
        width: None,
        colours: true,
    };
    let text = render(&COLUMNS, &rows, coloured);
    assert!(
        text.contains("\u{1b}[32mok\u{1b}[0m         7  n1"),
        "{text:?}"
    );
}
