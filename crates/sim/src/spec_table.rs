//! Reads the worked tables of the manual, so that every page of `spec/` runs as a test.
//!
//! A table is a Markdown table with a header row and a row of dashes. It knows the headings above it and the
//! line that it stands on, so that a wrong number is reported where it is written.

/// A table of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The last heading above it, without `#`.
    pub heading: String,
    /// The line of its header, from 1.
    pub line: usize,
    /// The names of its columns.
    pub columns: Vec<String>,
    /// Its rows in order.
    pub rows: Vec<Row>,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its line, from 1.
    pub line: usize,
    /// Column and content in order; backticks around a whole cell and the space around them are gone.
    pub cells: Vec<(String, String)>,
}

impl Table {
    /// Whether it has exactly these columns in this order.
    pub fn has_columns(&self, names: &[&str]) -> bool {
        self.columns.iter().map(String::as_str).eq(names.iter().copied())
    }
}

impl Row {
    /// The content of a column, or nothing where there is no such column.
    pub fn get(&self, column: &str) -> Option<&str> {
        self.cells.iter().find(|(name, _)| name == column).map(|(_, text)| text.as_str())
    }

    /// The content of a column that must be there.
    ///
    /// # Panics
    /// Where it is not, naming the line.
    pub fn cell(&self, column: &str) -> &str {
        match self.get(column) {
            Some(text) => text,
            None => panic!("line {}: expected a column `{column}`", self.line),
        }
    }
}

/// All tables of a page, in order. Code blocks are skipped.
///
/// # Panics
/// Where a row has more or fewer cells than the header: such a row would be tested by half.
pub fn tables(markdown: &str) -> Vec<Table> {
    let mut found: Vec<Table> = Vec::new();
    let (mut heading, mut is_code, mut header, mut is_open) = (String::new(), false, None, false);
    for (index, line) in markdown.lines().enumerate() {
        let number = index + 1;
        let text = line.trim();
        if text.starts_with("```") || text.starts_with("~~~") {
            is_code = !is_code;
        }
        if is_code || !text.starts_with('|') {
            (header, is_open) = (None, false);
            if !is_code && text.starts_with('#') {
                heading = text.trim_start_matches('#').trim().to_owned();
            }
            continue;
        }
        let cells = split_cells(text);
        match (header.take(), is_open) {
            (_, true) => add_row(&mut found, number, cells),
            (Some((line, columns)), false) if is_rule(&cells) => {
                found.push(Table { heading: heading.clone(), line, columns, rows: Vec::new() });
                is_open = true;
            }
            _ => header = Some((number, cells)),
        }
    }
    found
}

fn add_row(found: &mut [Table], line: usize, cells: Vec<String>) {
    let Some(table) = found.last_mut() else { return };
    let (expected, given) = (table.columns.len(), cells.len());
    assert!(expected == given, "line {line}: expected {expected} cells, found `{given}`");
    table.rows.push(Row { line, cells: table.columns.iter().cloned().zip(cells).collect() });
}

/// The cells between the bars; `\|` is a bar inside a cell.
fn split_cells(line: &str) -> Vec<String> {
    let inner = line.strip_prefix('|').unwrap_or(line);
    let inner = inner.strip_suffix('|').unwrap_or(inner).replace("\\|", "\u{1}");
    inner.split('|').map(|cell| clean(&cell.replace('\u{1}', "|"))).collect()
}

fn clean(cell: &str) -> String {
    let cell = cell.trim();
    let inner = cell.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    inner.filter(|inner| !inner.contains('`')).unwrap_or(cell).to_owned()
}

fn is_rule(cells: &[String]) -> bool {
    let is_dashes = |cell: &String| cell.contains('-') && cell.chars().all(|c| c == '-' || c == ':');
    cells.iter().all(is_dashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Page\n\n| a | b |\n|---|--:|\n| `1` | x \\| y |\n| 2 |  |\n\n## Next\n\
        ```\n| no | table |\n|---|---|\n```\n| c |\n| - |\ntext\n| only a header |\n";

    #[test]
    fn reads_tables_with_their_places() {
        let found = tables(PAGE);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].heading.as_str(), found[0].line), ("Page", 3));
        assert!(found[0].has_columns(&["a", "b"]));
        assert_eq!((found[0].rows[0].cell("a"), found[0].rows[0].cell("b")), ("1", "x | y"));
        assert_eq!((found[0].rows[1].line, found[0].rows[1].get("b")), (6, Some("")));
        assert_eq!((found[1].heading.as_str(), found[1].line, found[1].rows.len()), ("Next", 13, 0));
    }

    #[test]
    #[should_panic(expected = "line 3: expected 2 cells, found `1`")]
    fn a_row_cut_short_is_refused() {
        tables("| a | b |\n|---|---|\n| 1 |\n");
    }
}
