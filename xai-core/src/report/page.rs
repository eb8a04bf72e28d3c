//! Writes drawings to files, in the same way for SVG and PNG.

use std::fs;
use std::path::{Path, PathBuf};

use plotters::prelude::*;

use super::canvas::{Canvas, Letters, place_of_picture};
use super::png_file::{Pixels, png};
use crate::error::{Error, Result};
use crate::files::write_file;

/// The PNG is drawn at this multiple of its resolution and averaged, for smooth edges.
const FINER: u32 = 2;

/// Something that can be drawn.
pub(super) trait Page {
    /// Width and height in pixels of the PNG.
    fn size(&self) -> (u32, u32);

    fn draw<DB: DrawingBackend>(&self, canvas: &Canvas<DB>) -> Result<()>;
}

/// The style of an SVG for readers who prefer dark pages. One file follows its reader. Programs
/// without media queries, such as those of LaTeX, and printers use the light colours. Lines inside
/// boxes stay dark. The colours of series are the same on both backgrounds.
const DARK: &str = "<style>@media screen and (prefers-color-scheme: dark) {\
    svg [fill=\"#FFFFFF\"] { fill: #14171C } svg [stroke=\"#FFFFFF\"] { stroke: #14171C }\
    svg [fill=\"#000000\"] { fill: #E6E8EB } svg [stroke=\"#282828\"] { stroke: #C9CED6 }\
    svg [fill=\"#F5F5F5\"] { fill: #20252D }\
    svg [stroke=\"#DEDEDE\"] { stroke: #333A44 } svg [stroke=\"#828282\"] { stroke: #6B7480 }\
    svg [stroke=\"#5A5A5A\"] { stroke: #A2ABB6 }\
    svg [fill=\"#464646\"] { fill: #C9CED6 } svg [stroke=\"#464646\"] { stroke: #C9CED6 }\
    }</style>";

/// Writes a text into the folder `dir`. Returns the path.
pub(super) fn text_file(dir: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = dir.join(name);
    write_file(&path, |aside| {
        fs::write(aside, text).map_err(|error| Error::file(aside, error))
    })?;
    Ok(path)
}

/// Removes a file of an earlier report, if it is there.
pub(super) fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::file(path, error)),
        _ => Ok(()),
    }
}

/// Writes a page as `<name>.svg` and `<name>.png` into the folder `dir`. Returns their paths.
pub(super) fn picture(page: &impl Page, dir: &Path, name: &str) -> Result<[PathBuf; 2]> {
    let svg = text_file(dir, &format!("{name}.svg"), &svg_text(page)?)?;
    let path = dir.join(format!("{name}.png"));
    write_file(&path, |aside| write_png(page, aside))?;
    Ok([svg, path])
}

/// A page as SVG. It is drawn at the PNG's resolution and shown at half of it.
pub(super) fn svg_text(page: &impl Page) -> Result<String> {
    let (width, height) = page.size();
    let mut text = String::new();
    let backend = SVGBackend::with_string(&mut text, page.size());
    let canvas = Canvas::new(backend, 1, Letters::Viewer)?;
    page.draw(&canvas)?;
    let pictures = canvas.finish()?;
    let text = with_pictures(text, &pictures);
    let drawn = format!("width=\"{width}\" height=\"{height}\"");
    let shown = format!("width=\"{}\" height=\"{}\"", width / 2, height / 2);
    let text = text.replacen(&drawn, &shown, 1);
    Ok(match text.split_once('>') {
        Some((tag, content)) => format!("{tag}>\n{DARK}{content}"),
        None => text,
    })
}

/// An SVG with each of these pictures in the place of the text that stands for it.
fn with_pictures(svg: String, pictures: &[String]) -> String {
    let mut rest = svg.as_str();
    let mut whole = String::new();
    for (number, picture) in pictures.iter().enumerate() {
        let place = rest.find(&place_of_picture(number));
        let place = place.expect("the canvas has drawn a text for each picture, in this order");
        let start = rest[..place].rfind("<text").expect("it is in a text");
        let end = "</text>";
        let behind = place + rest[place..].find(end).expect("the text ends") + end.len();
        whole.push_str(&rest[..start]);
        whole.push_str(picture);
        rest = &rest[behind..];
    }
    whole + rest
}

/// Writes a page as PNG.
fn write_png(page: &impl Page, path: &Path) -> Result<()> {
    let (width, height) = page.size();
    let size = (FINER * width, FINER * height);
    let mut fine = vec![0; 3 * (size.0 * size.1) as usize];
    let backend = BitMapBackend::with_buffer(&mut fine, size);
    let canvas = Canvas::new(backend, FINER, Letters::Pixels)?;
    page.draw(&canvas)?;
    canvas.finish()?;

    let pixels = averaged(&fine, width as usize, height as usize);
    let file = png(&pixels, page.size(), Pixels::Rgb)?;
    fs::write(path, file).map_err(|error| Error::file(path, error))
}

/// RGB pixels of an image of the given size, from those of one [`FINER`] times as fine.
fn averaged(fine: &[u8], width: usize, height: usize) -> Vec<u8> {
    let finer = FINER as usize;
    let mut pixels = Vec::with_capacity(3 * width * height);
    for y in 0..height {
        for x in 0..width {
            for channel in 0..3 {
                let mut sum = 0;
                for (dy, dx) in (0..finer).flat_map(|dy| (0..finer).map(move |dx| (dy, dx))) {
                    let place = (finer * y + dy) * finer * width + finer * x + dx;
                    sum += usize::from(fine[3 * place + channel]);
                }
                pixels.push((sum / (finer * finer)) as u8);
            }
        }
    }
    pixels
}
