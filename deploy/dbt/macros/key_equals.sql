{# The condition that two rows are of one feed and agree in `columns`; NULL equals NULL. #}
{% macro key_equals(left, right, columns, other_columns=none) -%}
    {{ left }}.district_id = {{ right }}.district_id and {{ left }}.source = {{ right }}.source
    {%- for column in columns %}
    and {{ left }}.{{ column }} is not distinct from {{ right }}.{{ (other_columns or columns)[loop.index0] }}
    {%- endfor %}
{%- endmacro %}
