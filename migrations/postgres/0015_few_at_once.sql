-- How many rows a list has the server cannot know, and its guess of a hundred made it go through all that is
-- planned, or accepted, to look each up in the list: it believed those to be fewer, as they were when it had
-- counted last. A group of the send path has few. STRICT keeps the text from being merged into the statement,
-- which would forget the number.
CREATE OR REPLACE FUNCTION json_each(TEXT) RETURNS TABLE (key BIGINT, value JSONB)
LANGUAGE sql IMMUTABLE STRICT ROWS 10 AS $$
    SELECT ordinality - 1, element FROM jsonb_array_elements($1::JSONB) WITH ORDINALITY a (element)
$$;
