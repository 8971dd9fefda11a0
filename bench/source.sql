-- The source of the live benchmarks, after schemas/acme.sql: customers and products, and ACME's transactions as procedures that
-- commit each one.
INSERT INTO operations.customers (customer_name, customer_address)
    SELECT 'Customer ' || i, (i % 3 + 1) || ' Main Street' FROM generate_series(1, 2000) AS i;
INSERT INTO operations.products (product_name, barcode, unity_price, is_active)
    SELECT 'Product ' || i, lpad(i::text, 13, '4'), i + 0.25, true FROM generate_series(1, 5000) AS i;

CREATE SCHEMA bench;

CREATE FUNCTION bench.insert_order(items int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
BEGIN
    INSERT INTO operations.orders (order_date, delivery_date, customer_id, status, created_at, created_by)
        VALUES (current_date, current_date + 10 + (random() * 60)::int, 1 + floor(random() * 2000)::int, 'PENDING', clock_timestamp(), 1)
        RETURNING order_id INTO made;
    INSERT INTO operations.order_items (order_id, product_id, quanity, created_at, created_by)
        SELECT made, 1 + floor(random() * 5000)::int, floor(random() * 1000)::int, clock_timestamp(), 1 FROM generate_series(1, items);
    RETURN made;
END $$;

-- Transactions of one order and 26 items; after each, `updates` transactions with the next status of one of the last 20,000 orders.
CREATE PROCEDURE bench.load(changes int, updates int) LANGUAGE plpgsql AS $$
DECLARE
    made bigint;
    other bigint;
BEGIN
    FOR i IN 1 .. changes / (27 + updates) LOOP
        made := bench.insert_order(26);
        COMMIT;
        FOR u IN 1 .. updates LOOP
            other := made - floor(random() * least(made, 20000))::int;
            UPDATE operations.orders SET updated_at = clock_timestamp(), updated_by = 1,
                status = (ARRAY['PENDING', 'PROCESSING', 'COMPLETED', 'REPROCESSING', 'CANCELED', NULL])[1 + floor(random() * 6)::int]
                WHERE order_id = other;
            COMMIT;
        END LOOP;
    END LOOP;
END $$;
