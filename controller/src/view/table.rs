//! Tables without frames: columns that line up, nothing else.

use comfy_table::{CellAlignment, ContentArrangement, Row, Table, presets};

use super::words::WIDTH;

/// An empty table with this header; it wraps cells to keep within 80 columns.
pub fn plain(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        // Two columns of indent stand before every line.
        .set_width(WIDTH as u16 - 2)
        .set_header(Row::from(header.to_vec()));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// Numbers stand at the right.
pub fn right(table: &mut Table, columns: &[usize]) {
    for column in columns {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// The table's lines, indented by two, without trailing blanks.
pub fn text(table: &Table) -> String {
    let lines = table.lines().map(|line| format!("  {}", line.trim_end()));
    lines.map(|line| line.trim_end().to_owned() + "\n").collect()
}
