//! The table of providers in `docs/providers.md`, from the data that is built in.

use std::fmt::Write as _;

use aside::catalog::Catalog;
use aside::system::{Dirs, System};

const BEGIN: &str = "<!-- providers: ";
const END: &str = "<!-- end of providers -->";

/// The page with the table as it should be.
pub(super) fn written(page: &str) -> String {
    super::between(page, BEGIN, END, &table_of_providers())
}

fn table_of_providers() -> String {
    let mut system = System::real();
    system.dirs = Dirs::default();
    let snapshot = Catalog::new(system, aside::models::is_known_wire, std::sync::Arc::default()).snapshot();
    let mut table = String::from(
        "| provider | id | variables | APIs | models | think | see images | default model | in this version |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for provider in snapshot.providers() {
        let models: Vec<_> = snapshot.models_of(&provider.id).filter(|model| !model.is_retired()).collect();
        let thinking = models.iter().filter(|model| model.reasoning()).count();
        let seeing = models.iter().filter(|model| model.takes_images()).count();
        let spoken = models.iter().filter(|model| snapshot.speaks(model)).count();
        let state = match spoken {
            0 => "not yet: its API".to_owned(),
            some if some < models.len() => format!("{some} of the models"),
            _ => "yes".to_owned(),
        };
        let mut wires: Vec<_> = models.iter().map(aside::catalog::Listed::wire).collect();
        wires.sort_unstable();
        wires.dedup();
        let code = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        let variables: Vec<&str> =
            provider.key_variables.iter().chain(&provider.url_variables).map(|name| &**name).collect();
        writeln!(
            table,
            "| {} | `{}` | {} | {} | {} | {} | {} | `{}` | {} |",
            provider.name,
            provider.id,
            code(&variables),
            code(&wires),
            models.len(),
            thinking,
            seeing,
            provider.default_model.as_deref().unwrap_or_default(),
            state,
        )
        .unwrap();
    }
    table
}
