-- One row per import, table and kind of change: how many records an import created, updated and deleted, and why.
select
    import_id,
    district_id,
    source,
    table_name,
    change,
    close_reason,
    count(*) as records
from {{ source("roster_etl", "changes") }}
group by import_id, district_id, source, table_name, change, close_reason
