//! `#[derive(Row)]` for structs with named fields. Tinytable's own: use it from there.

use proc_macro::{Delimiter, TokenStream, TokenTree};

/// Makes a row of the fields, each shown by `Display` under its name.
#[proc_macro_derive(Row)]
pub fn row(item: TokenStream) -> TokenStream {
    let mut tokens = item.into_iter().skip_while(|token| token.to_string() != "struct").skip(1);
    let (name, body) = (tokens.next(), tokens.next());
    let code = match (name, body) {
        (Some(name), Some(TokenTree::Group(body))) if body.delimiter() == Delimiter::Brace => {
            let fields = fields(body.stream());
            let heads: String = fields.iter().map(|field| format!("{field:?}.to_string(),")).collect();
            let cells: String = fields.iter().map(|field| format!("self.{field}.to_string(),")).collect();
            format!(
                "impl ::tinytable::Row for {name} {{
                    fn heads() -> Vec<String> {{ vec![{heads}] }}
                    fn cells(&self) -> Vec<String> {{ vec![{cells}] }}
                }}"
            )
        }
        _ => "compile_error!(\"Row is for structs with named fields and without parameters\");".to_string(),
    };
    code.parse().unwrap_or_default()
}

/// The names of the fields: what stands in front of a single colon, outside the angle brackets of a type.
fn fields(body: TokenStream) -> Vec<String> {
    let (mut names, mut last, mut depth, mut in_type) = (Vec::new(), String::new(), 0, false);
    for token in body {
        let text = token.to_string();
        match text.as_str() {
            "<" => depth += 1,
            ">" => depth -= 1,
            "," if depth == 0 => in_type = false,
            ":" if !in_type => {
                names.push(last);
                in_type = true;
            }
            _ => {}
        }
        last = text;
    }
    names
}
