#!/bin/bash
# Shows the four views in the sink, a few times, so that one sees them move. Usage: show.sh [times] [seconds between]
. "$(dirname "$0")/lib.sh"
times=${1:-3}
pause=${2:-3}
for i in $(seq "$times"); do
    [ "$i" = 1 ] || sleep "$pause"
    echo "---- $(date -u +%H:%M:%S)  $(cluster_sql sink analytics -Atc "SELECT 'commit ' || seq || ' of ' || commit_time FROM logfold.progress")"
    cluster_sql sink analytics -P pager=off -P footer=off \
        -c "SELECT * FROM public.open_orders_by_delivery_status ORDER BY 1, 2 LIMIT 6" \
        -c "SELECT * FROM public.top3_delivery_dates ORDER BY 1" \
        -c "SELECT * FROM public.pending_items_by_product ORDER BY 2 DESC LIMIT 5" \
        -c "SELECT * FROM public.top3_customers_pending_orders ORDER BY 1"
done
