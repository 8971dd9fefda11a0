#!/bin/bash
# A program whose help leaves out an option and a verb of its table:
#
cat >/dev/null <<'EOF'
    { 'q', "quiet", NULL, "say less" },
    { "show", verb_show, "show it" },
    { "hide", verb_hide, "hide it" },
EOF
echo "  show   show it, --quieter than before"
