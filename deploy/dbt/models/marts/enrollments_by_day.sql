-- One row per day, feed and role: how many enrollments, people and sections the roster had at the end of that day (UTC).
with days as (
    {% for back in range(var("roster_etl_days")) %}
    select cast(current_date as date) - {{ back }} as day
    {{ "union all" if not loop.last }}
    {% endfor %}
),

versions as (
    select
        district_id,
        source,
        role,
        user_kind,
        user_id,
        section_id,
        valid_from,
        valid_to
    from {{ source("roster_etl", "enrollments_history") }}
)

select
    d.day,
    v.district_id,
    v.source,
    v.role,
    count(*) as enrollments,
    count(distinct v.user_kind || ':' || v.user_id) as people,
    count(distinct v.section_id) as sections
from days as d
inner join versions as v
    on v.valid_from < cast(d.day + 1 as timestamp) and (v.valid_to is null or v.valid_to >= cast(d.day + 1 as timestamp))
group by d.day, v.district_id, v.source, v.role
