//! `cat`: values.

use std::io::Write;

use ndbytes::{Dtype, Kind, Slice};

use crate::args::{Cat, Values};
use crate::commands::info::shape_text;
use crate::elements::Elements;
use crate::exit::{ExitStatus, Failure};
use crate::input::Input;
use crate::printer::{Printer, note};
use crate::select::{for_each_piece, select};
use crate::value::{Style, csv_cell, write_json_str, write_value};

/// Prints the selected values.
pub(crate) fn run(args: &Cat, out: &mut Printer) -> Result<ExitStatus, Failure> {
    let slice = Slice::parse(args.slice.as_deref().unwrap_or_default())
        .map_err(|error| Failure::trouble(error.message()).about("--slice"))?;
    let input = Input::open(&args.file)?;
    input.begin("reading");
    let part = args.slice.is_some() || args.head.is_some();
    let elements = Elements::open(&input, args.member.as_deref(), part)?;
    if elements.trailing() > 0 {
        let (name, bytes) = (input.name.display(), elements.trailing());
        note(format_args!("ndbytes: {name}: {bytes} bytes follow the array; they are not shown"));
    }
    let mut selection =
        select(&elements, &slice).map_err(|f| f.about(&input.name.display().to_string()))?;
    if let Some(head) = args.head {
        selection.head(head);
    }
    let dtype = elements.header().dtype();
    let count = selection.count();
    let whole = args.format != Values::Text || args.all || args.head.is_some();
    let most = if whole { usize::MAX } else { MOST };
    let shape = selection.shape.clone();
    selection.limit(most);
    let mut writer = Writer::new(dtype, &shape, args.format, most);
    writer.begin(out)?;
    if dtype.itemsize() == 0 {
        // Such items are in no piece.
        for _ in 0..selection.count().min(most) {
            writer.item(&[], out)?;
        }
    }
    for_each_piece(&elements, &selection, &mut |bytes| match args.format {
        Values::Raw => Ok(out.write_all(bytes)?),
        _ => bytes.chunks_exact(dtype.itemsize()).try_for_each(|item| writer.item(item, out)),
    })?;
    writer.end(out)?;
    if count > most {
        out.finish()?;
        note(format_args!("ndbytes: {most} of {count} items were shown; `--all` shows the rest"));
    }
    Ok(ExitStatus::Done)
}

/// Writes items one after another in C order, with what stands between them.
struct Writer<'a> {
    dtype: &'a Dtype,
    shape: &'a [usize],
    /// Items of one index of each axis.
    inner: Vec<usize>,
    format: Values,
    /// A line for each item.
    column: bool,
    done: usize,
    most: usize,
    text: String,
}

impl<'a> Writer<'a> {
    fn new(dtype: &'a Dtype, shape: &'a [usize], format: Values, most: usize) -> Self {
        let inner =
            (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect::<Vec<_>>();
        let column =
            format == Values::Csv && (shape.len() < 2 || matches!(dtype.kind(), Kind::Struct(_)));
        Self { dtype, shape, inner, format, column, done: 0, most, text: String::new() }
    }

    fn begin(&mut self, out: &mut Printer) -> Result<(), Failure> {
        match (self.format, self.dtype.fields()) {
            (Values::Csv, Some(fields)) => {
                let names: Vec<_> = fields.iter().map(|field| csv_cell(&field.name)).collect();
                out.line(format_args!("{}", names.join(",")))
            }
            (Values::Json, _) => {
                self.text.push_str("{\"dtype\": ");
                write_json_str(&mut self.text, &self.dtype.to_string());
                self.text.push_str(&format!(", \"shape\": {:?}, \"data\": ", self.shape));
                if self.shape.contains(&0) {
                    let text = empty(self.shape);
                    self.text.push_str(&text);
                }
                Ok(())
            }
            (Values::Text, _) if self.shape.contains(&0) => {
                let shape = shape_text(self.shape);
                note(format_args!("ndbytes: no items: the shape is {shape}"));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn item(&mut self, item: &[u8], out: &mut Printer) -> Result<(), Failure> {
        if self.done >= self.most {
            return Ok(());
        }
        match self.format {
            Values::Text => self.text_item(item),
            Values::Csv => self.csv_item(item),
            Values::Json => self.json_item(item),
            Values::Raw => {}
        }
        self.done += 1;
        out.text(&self.text)?;
        self.text.clear();
        Ok(())
    }

    fn text_item(&mut self, item: &[u8]) {
        let row = self.shape.last().copied().unwrap_or(1);
        if self.done > 0 && self.done.is_multiple_of(row) {
            self.text.push('\n');
            // An empty line between matrices.
            let matrix = self.shape.len().checked_sub(3).map(|axis| self.inner[axis]);
            if matrix.is_some_and(|matrix| self.done.is_multiple_of(matrix)) {
                self.text.push('\n');
            }
        } else if self.done > 0 {
            self.text.push(' ');
        }
        write_value(&mut self.text, self.dtype, item, Style::Python);
    }

    fn csv_item(&mut self, item: &[u8]) {
        let row = if self.column { 1 } else { self.shape.last().copied().unwrap_or(1) };
        if self.done > 0 {
            self.text.push(if self.done.is_multiple_of(row) { '\n' } else { ',' });
        }
        let Some(fields) = self.dtype.fields() else { return self.cell(self.dtype, item) };
        for (i, field) in fields.iter().enumerate() {
            self.text.push_str(if i > 0 { "," } else { "" });
            self.cell(&field.dtype, &item[field.offset..field.offset + field.dtype.itemsize()]);
        }
    }

    fn cell(&mut self, dtype: &Dtype, bytes: &[u8]) {
        let mut value = String::new();
        write_value(&mut value, dtype, bytes, Style::Plain);
        self.text.push_str(&csv_cell(&value));
    }

    fn json_item(&mut self, item: &[u8]) {
        // How many lists begin or end at this count of items.
        let lists = |done: usize| {
            let blocks = self.inner.iter().zip(self.shape).map(|(inner, n)| inner * n);
            blocks.filter(|&block| done.is_multiple_of(block)).count()
        };
        let (opened, closed) = (lists(self.done), lists(self.done + 1));
        if self.done > 0 {
            self.text.push_str(", ");
        }
        self.text.extend(std::iter::repeat_n('[', opened));
        write_value(&mut self.text, self.dtype, item, Style::Json);
        self.text.extend(std::iter::repeat_n(']', closed));
    }

    fn end(&mut self, out: &mut Printer) -> Result<(), Failure> {
        match self.format {
            Values::Raw => Ok(()),
            Values::Json => {
                self.text.push_str("}\n");
                out.text(&self.text)
            }
            _ if self.done == 0 => Ok(()),
            _ => out.text("\n"),
        }
    }
}

/// Nested lists of no items; one list alone where they would be absurdly many.
fn empty(shape: &[usize]) -> String {
    match shape.split_first() {
        None => String::new(),
        // Nothing is in the first empty axis; those before it are as long as they say.
        Some((0, _)) => "[]".into(),
        Some((&n, _)) if n > MOST_LISTS => "[]".into(),
        Some((&n, inner)) => format!("[{}]", vec![empty(inner); n].join(", ")),
    }
}

/// As many items as text shows without `--all`; NumPy's threshold.
const MOST: usize = 1000;
const MOST_LISTS: usize = 1 << 10;
