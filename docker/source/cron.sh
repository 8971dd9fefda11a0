#!/bin/bash
# The reference's three jobs, and a password for the role that reads changes. Runs once, when the database is made.
set -eu
psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -v password="$CDC_PASSWORD" <<'SQL'
ALTER ROLE cdc_user PASSWORD :'password';
CREATE EXTENSION pg_cron;
SELECT cron.schedule('customers', '*/2 * * * *', $$SELECT workload.touch_customer() FROM generate_series(1, 5)$$);
SELECT cron.schedule('products', '*/2 * * * *', $$SELECT workload.touch_product() FROM generate_series(1, 10)$$);
SELECT cron.schedule('orders', '* * * * *', $$SELECT workload.touch_order() FROM generate_series(1, 100)$$);
SQL
