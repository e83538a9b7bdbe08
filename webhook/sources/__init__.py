"""Where policy files come from: folders now, custom resources and bundles later."""
