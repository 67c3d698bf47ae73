"""Speed and quality against peers and against the usual loop, measured side by side. Never imported by the package."""
